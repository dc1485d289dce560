/**
 * The consumers that share a subscription on this node, and what they share: records of the claims that the node holds.
 *
 *   claims ──read──▶ ready ──handed out, as windows let through──▶ outstanding ──acknowledged, parked──▶ settled
 *                      ▲                                             │ failed, released
 *                      └────────── its time has come ◀── waiting ◀───┘
 *
 * Everything happens in one turn of the event loop but reading, writing and waiting, which go on beside it, one of each
 * kind at a time. A consumer's call asks for its next message when the transport took the last one, so both gates are open
 * then: the window's and the transport's.
 */

import { type DeliveryPolicy, type Limits, MillraceError, type OffsetRange, type Sharing } from "../../core/index.js";
import type { Retry, StoredClaim } from "../../store/index.js";
import { yieldToEventLoop } from "../../streams/index.js";
import type { Clock, Logger, Metrics } from "../../telemetry/index.js";
import { frameEnds, laneOf, slotOf } from "../../wire/index.js";
import { overError } from "../appender.js";
import { chooseFrames } from "../frame-choice.js";
import type { PageReader } from "../page-reader.js";
import type { StampClock } from "../stamp-clock.js";
import type { ConsumerRequest, ConsumerWaiting } from "../subscription-engine.js";
import type { Topic } from "../topic.js";
import { Claim } from "./claim.js";
import type { Consumer, Outstanding } from "./consumer.js";
import { heldOf } from "./held-offsets.js";
import type { HeldRecord, RecordState, WaitingRecord } from "./held-record.js";
import { KeyedRecords } from "./keyed-records.js";
import type { Ledger } from "./ledger.js";
import type { ReadAhead } from "./read-ahead.js";
import type { ReadyRecords } from "./ready-records.js";
import { RetryQueue } from "./retry-queue.js";
import { isTransient, SettleWriter } from "./settle-writer.js";
import { SpreadRecords } from "./spread-records.js";

/** Acknowledged records that wait for the database: beyond so many nothing is handed out. */
const unwrittenMost = 100_000;
/** Records that are fetched at once to be handed out again. */
const redeliveredAtOnce = 500;
/** The least that is claimed of a SHARED subscription at once. */
const claimLeast = 16;
/** How often deadlines are looked at: a part of theirs, between these. */
const sweepMs = { part: 20, least: 20, most: 500 };

export interface GroupParts {
  readonly topic: Topic;
  readonly sharing: Sharing;
  readonly policy: DeliveryPolicy;
  readonly ledger: Ledger;
  readonly ahead: ReadAhead;
  readonly pages: PageReader;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly stampClock: StampClock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Whether so many more may be parked. */
  readonly mayPark: (records: number) => boolean;
}

/** Records for one message. */
export interface Handed {
  readonly runs: readonly Uint8Array[];
  readonly records: number;
  readonly attempt: number;
}

export class Group {
  readonly consumers = new Set<Consumer>();
  readonly claims = new Map<number, Claim>();
  readonly writer: SettleWriter;
  policy: DeliveryPolicy;
  isPaused = false;
  readonly #parts: GroupParts;
  readonly #ready: ReadyRecords;
  readonly #retries = new RetryQueue();
  readonly #end = new AbortController();
  /** EXCLUSIVE: what comes again at once, before anything that is new, so that the order holds. */
  readonly #returning = new Set<number>();
  /** Where the last page ended, and the running total of frame bytes there. */
  #lastPage: { readonly next: number; readonly endBytes: number } | undefined;
  /** No more can be claimed while the topic ends here. */
  #exhaustedAt = -1;
  /** Records that were handed out since the last second began, and in the one before. */
  #handed = { atMs: 0, now: 0, before: 0 };
  #reading: Promise<void> | undefined;
  #readAgain = false;
  #fetching: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #watching: Promise<void>;

  constructor(parts: GroupParts) {
    this.#parts = parts;
    this.policy = parts.policy;
    this.#ready = parts.sharing === "keyed" ? new KeyedRecords() : new SpreadRecords();
    this.writer = new SettleWriter({
      settle: (write) => parts.ledger.settle(write),
      onRetry: (record, delayMs) => this.#wait({ ...record, dueMs: parts.clock.monotonicMs() + delayMs }),
      onElsewhere: (record) => {
        this.#returning.delete(record.offset);
        this.#ready.release(record);
      },
      onParked: (record) => {
        parts.metrics.recordsParked.inc();
        this.#ready.settled(record);
      },
      onLost: (claim) => this.drop(claim),
      onDone: (claim) => this.#forget(claim),
      onProgress: () => this.wakeAll(),
      onFault: (error) => {
        parts.logger.error({ err: error }, "a subscription cannot write what became of its records");
        this.failAll(new MillraceError("internal", "What became of records cannot be written", { cause: error }));
      },
    });
    this.#watching = this.#watchTopic();
  }

  /** Records that wait for their retry. */
  get retryCount(): number {
    return this.#retries.count;
  }

  /** Nothing is ready, with a consumer, or on its way to the database. */
  get isIdle(): boolean {
    const isUnread = [...this.claims.values()].some((claim) => (claim.unread.first ?? Infinity) < this.#tip);
    return !isUnread && this.#ready.count === 0 && this.#retries.count === 0 && this.writer.backlog === 0 && !this.#has;
  }

  get #has(): boolean {
    for (const consumer of this.consumers) if (consumer.outstanding.size > 0) return true;
    return false;
  }

  get #tip(): number {
    return this.#parts.topic.tip.value.nextOffset;
  }

  /** The lowest offset that is not settled, as far as this node knows. */
  get cursor(): number {
    let cursor = this.#tip;
    for (const { kind, todo } of this.claims.values()) {
      if (kind !== "redriven" && todo.first !== undefined) cursor = Math.min(cursor, todo.first);
    }
    return cursor;
  }

  join(consumer: Consumer): void {
    this.consumers.add(consumer);
    this.#ready.share(this.consumers);
    this.#schedule();
    this.read();
  }

  /**
   * A consumer has gone; what it had goes to others. `wasLost`: what it was working on counts as failed, or a record that
   * ends its consumers would do so for ever.
   */
  leave(consumer: Consumer, wasLost: boolean): void {
    if (!this.consumers.delete(consumer)) return;
    for (const offset of [...consumer.outstanding.keys()]) {
      const outstanding = consumer.takeBack(offset) as Outstanding;
      const isBegun = outstanding.deadlineMs !== Number.POSITIVE_INFINITY;
      if (wasLost && isBegun) this.#fail(outstanding, `the consumer "${consumer.name}" was lost`, 0, undefined);
      else this.#giveBack(outstanding, undefined);
    }
    this.#ready.share(this.consumers);
    this.#schedule();
    this.wakeAll();
  }

  /** What a consumer says of its records. */
  hear(consumer: Consumer, request: ConsumerRequest): void {
    if (request.window !== undefined) {
      consumer.window = request.window;
      consumer.tell({ kind: "window-changed", window: request.window });
    }
    for (const range of request.acknowledge) this.#acknowledge(consumer, range, true);
    if (request.acknowledgeThrough !== undefined) {
      this.#acknowledge(consumer, { firstOffset: 0, nextOffset: request.acknowledgeThrough + 1 }, false);
    }
    for (const { range, delayMs, reason } of request.reject) {
      this.#each(consumer, range, (outstanding) => {
        const delay = delayMs ?? this.#backoffMs(outstanding.record.failures + 1);
        this.#fail(outstanding, reason === "" ? "rejected" : reason, delay, { consumer, verdict: "rejected" });
      });
    }
    for (const { range, byMs } of request.extend) this.#extend(consumer, range, byMs ?? this.policy.ackDeadlineMs);
    for (const { range, reason } of request.park) {
      this.#each(consumer, range, (outstanding) => this.#park(consumer, outstanding, reason));
    }
    for (const range of request.release) {
      this.#each(consumer, range, (outstanding) => this.#giveBack(outstanding, { consumer, verdict: "released" }));
    }
    this.read();
    consumer.wake();
  }

  /** Records for a consumer's next message, of at most so many bytes but at least one; undefined: none now. */
  take(consumer: Consumer, bytesMax: number): Handed | undefined {
    if (!this.#mayHand(consumer)) return undefined;
    const againOnly = this.#againOnly;
    let room = Math.min(consumer.room, this.#shareOf(consumer));
    let byteRoom = consumer.byteRoom;
    let bytes = 0;
    let attempt = 0;
    const taken: Outstanding[] = [];
    for (; room > 0; room--) {
      const record = this.#ready.peek(consumer, againOnly);
      if (record === undefined) break;
      const size = record.end - record.start;
      if (taken.length > 0 && (record.deliveries + 1 !== attempt || bytes + size > bytesMax)) break;
      if (size > byteRoom) break;
      this.#ready.take(consumer, record);
      const outstanding = { record, bytes: size, deadlineMs: Number.POSITIVE_INFINITY };
      consumer.hand(outstanding);
      taken.push(outstanding);
      attempt = record.deliveries + 1;
      bytes += size;
      byteRoom = consumer.byteRoom;
    }
    if (taken.length === 0) return undefined;
    consumer.sending(taken);
    this.#handed.now += taken.length;
    this.#parts.metrics.recordsDelivered.inc({ attempt: attempt === 1 ? "first" : "again" }, taken.length);
    this.#parts.ahead.hold(this, this.#ready.bytes);
    this.read();
    return { runs: runsOf(taken), records: taken.length, attempt };
  }

  /** Why there is nothing for a consumer. */
  waitingOf(consumer: Consumer): ConsumerWaiting {
    if (this.isPaused) return "paused";
    if (consumer.window.bytes === 0) return "window-full-bytes";
    if (consumer.room === 0) return "window-full-records";
    if (!this.#parts.ledger.isHeld || this.writer.isStuck || this.writer.backlog >= unwrittenMost) return "database";
    const next = this.#ready.peek(consumer, this.#againOnly);
    if (next !== undefined) return next.end - next.start > consumer.byteRoom ? "window-full-bytes" : "nothing";
    if (this.#retries.count >= this.policy.retryBacklog) return "retry-backlog-full";
    if (this.#ready.count > 0) return "keys-busy";
    if (this.claims.size === 0 && this.#parts.sharing !== "shared") return "other-consumers";
    if (this.#reading !== undefined || this.#fetching !== undefined) return "database";
    if (this.#retries.count > 0) return "retry-delay";
    return "caught-up";
  }

  /** Takes a claim in, with what waits in it for a retry. */
  add(stored: StoredClaim, retries: readonly Retry[]): void {
    const claim = new Claim(stored);
    this.claims.set(claim.claimId, claim);
    const nowMs = this.#parts.clock.monotonicMs();
    const nowMicros = this.#parts.stampClock.now();
    for (const { offset, lane, deliveries, failures, retryAtMicros } of retries) {
      if (retryAtMicros === undefined || !claim.todo.has(offset)) continue;
      claim.unread.delete(offset, offset + 1);
      const record = { claim, offset, lane, deliveries, failures };
      this.#ready.hold(record);
      const delayMs = Math.max(0, (retryAtMicros - nowMicros) / 1000);
      if (delayMs === 0) this.#comesAgain(record);
      this.#wait({ ...record, dueMs: nowMs + delayMs });
    }
    this.#exhaustedAt = -1;
    this.read();
  }

  /** Somebody else has the claim. What consumers have of it is theirs no more. */
  drop(claim: Claim): void {
    if (claim.isLost) return;
    claim.isLost = true;
    for (const consumer of this.consumers) {
      for (const [offset, { record }] of consumer.outstanding) if (record.claim === claim) consumer.takeBack(offset);
    }
    this.#forget(claim);
  }

  /** Hands out no more of a claim, which is about to be given to another node. */
  retire(claim: Claim): void {
    claim.isLeaving = true;
    this.#ready.drop(claim);
    this.#retries.drop(claim);
  }

  /** A retired claim of which no consumer has anything is gone from here. */
  release(claim: Claim): void {
    claim.isLost = true;
    this.#forget(claim);
  }

  /** A Commit settled these. */
  settled(offsets: readonly number[]): void {
    for (const consumer of this.consumers) {
      for (const offset of offsets) {
        const outstanding = consumer.takeBack(offset);
        if (outstanding === undefined) continue;
        const { record } = outstanding;
        record.claim.todo.delete(offset, offset + 1);
        this.#ready.settled(record);
        consumer.lastAcknowledgementMs = Date.now();
        if (record.claim.todo.isEmpty) this.#forget(record.claim);
      }
      consumer.wake();
    }
    this.read();
  }

  /** Ends all consumers at once: what they had is taken off them before anybody else gets anything. */
  evictAll(error: Error): void {
    for (const consumer of [...this.consumers]) {
      consumer.fail(error);
      this.leave(consumer, false);
    }
  }

  failAll(error: Error): void {
    for (const consumer of this.consumers) consumer.fail(error);
  }

  wakeAll(): void {
    for (const consumer of this.consumers) consumer.wake();
    this.read();
  }

  /** Reads on, as far as it is wanted. */
  read(): void {
    this.#readAgain = true;
    if (this.#reading !== undefined || this.#end.signal.aborted) return;
    this.#reading = this.#readAll().finally(() => {
      this.#reading = undefined;
      for (const consumer of this.consumers) consumer.wake();
    });
  }

  /** The rest may have changed: look again whether there is more to claim. */
  lookAgain(): void {
    this.#exhaustedAt = -1;
    this.read();
  }

  /** Writes what is pending, unless `patience` ends first, and stops. */
  async close(patience: AbortSignal): Promise<void> {
    const giveUp = () => this.writer.giveUp();
    patience.addEventListener("abort", giveUp, { once: true });
    if (patience.aborted) giveUp();
    await this.writer.flush();
    patience.removeEventListener("abort", giveUp);
    this.#end.abort();
    clearTimeout(this.#timer);
    this.writer.giveUp();
    await Promise.allSettled([this.#reading, this.#fetching, this.#watching]);
    this.#parts.ahead.leave(this);
  }

  #acknowledge(consumer: Consumer, range: OffsetRange, tellsStale: boolean): void {
    const { held, stale } = heldOf(consumer.outstanding, range);
    let run: { claim: Claim; first: number; next: number } | undefined;
    const end = (): void => {
      if (run !== undefined) this.writer.acknowledge(run.claim, run.first, run.next, consumer);
    };
    for (const offset of held) {
      const { record } = consumer.takeBack(offset) as Outstanding;
      if (record.deliveries > 0) this.writer.forgetRetry(offset);
      this.#ready.settled(record);
      if (run?.claim === record.claim && run.next === offset) run.next += 1;
      else {
        end();
        run = { claim: record.claim, first: offset, next: offset + 1 };
      }
    }
    end();
    if (held.length > 0) consumer.lastAcknowledgementMs = Date.now();
    if (tellsStale) for (const { firstOffset, nextOffset } of stale) consumer.confirm("stale", firstOffset, nextOffset);
  }

  /** Takes the records of a range off a consumer, one by one, and tells it which it does not have. */
  #each(consumer: Consumer, range: OffsetRange, use: (outstanding: Outstanding) => void): void {
    const { held, stale } = heldOf(consumer.outstanding, range);
    for (const offset of held) use(consumer.takeBack(offset) as Outstanding);
    for (const { firstOffset, nextOffset } of stale) consumer.confirm("stale", firstOffset, nextOffset);
  }

  #extend(consumer: Consumer, range: OffsetRange, byMs: number): void {
    const { held, stale } = heldOf(consumer.outstanding, range);
    const deadlineMs = this.#parts.clock.monotonicMs() + byMs;
    for (const offset of held) {
      (consumer.outstanding.get(offset) as Outstanding).deadlineMs = deadlineMs;
      consumer.confirm("extended", offset, offset + 1);
    }
    for (const { firstOffset, nextOffset } of stale) consumer.confirm("stale", firstOffset, nextOffset);
  }

  #fail(
    { record }: Outstanding,
    reason: string,
    delayMs: number,
    told: { readonly consumer: Consumer; readonly verdict: "rejected" } | undefined,
  ): void {
    const failed = { ...stateOf(record), deliveries: record.deliveries + 1, failures: record.failures + 1 };
    if (failed.failures >= this.policy.attemptsMax && this.#parts.mayPark(1)) {
      this.writer.park({ record: failed, slot: this.#slotOf(record), reason, told });
      return;
    }
    this.#parts.metrics.recordsFailed.inc();
    this.#ready.failed(record);
    if (delayMs === 0) this.#comesAgain(record);
    this.writer.retry({ record: failed, delayMs, reason, told });
  }

  #park(consumer: Consumer, outstanding: Outstanding, reason: string): void {
    const { record } = outstanding;
    const why = reason === "" ? "parked by its consumer" : reason;
    if (!this.#parts.mayPark(1)) {
      return this.#fail(outstanding, why, this.policy.retryMaxMs, { consumer, verdict: "rejected" });
    }
    const parked = { ...stateOf(record), deliveries: record.deliveries + 1, failures: record.failures + 1 };
    this.writer.park({
      record: parked,
      slot: this.#slotOf(record),
      reason: why,
      told: { consumer, verdict: "parked" },
    });
  }

  #giveBack(
    { record }: Outstanding,
    told: { readonly consumer: Consumer; readonly verdict: "released" } | undefined,
  ): void {
    this.#ready.failed(record);
    this.#comesAgain(record);
    const released = { ...stateOf(record), deliveries: record.deliveries + 1 };
    this.writer.retry({ record: released, delayMs: 0, reason: undefined, told });
  }

  #comesAgain({ offset }: RecordState): void {
    if (this.#parts.sharing === "exclusive") this.#returning.add(offset);
  }

  #slotOf({ lane, offset }: RecordState): number {
    return this.#parts.sharing === "keyed" ? slotOf(lane, offset) : 0;
  }

  #backoffMs(failures: number): number {
    const { retryMinMs, retryMaxMs } = this.policy;
    return Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(failures - 1, 40));
  }

  #wait(record: WaitingRecord): void {
    if (record.claim.isLost || record.claim.isLeaving) return;
    this.#retries.push(record);
    this.#schedule();
  }

  #mayHand(consumer: Consumer): boolean {
    return (
      !this.isPaused &&
      consumer.failure === undefined &&
      this.#parts.ledger.isHeld &&
      !this.writer.isStuck &&
      this.writer.backlog < unwrittenMost
    );
  }

  get #againOnly(): boolean {
    return this.#retries.count >= this.policy.retryBacklog || this.#returning.size > 0;
  }

  /** How much of what is ready one consumer may take, so that others with room get theirs: by their free windows. */
  #shareOf(consumer: Consumer): number {
    if (this.consumers.size === 1 || this.#parts.sharing === "keyed") return Number.POSITIVE_INFINITY;
    let room = 0;
    for (const each of this.consumers) room += each.room;
    return Math.ceil((this.#ready.count * consumer.room) / Math.max(1, room));
  }

  #forget(claim: Claim): void {
    this.claims.delete(claim.claimId);
    this.#ready.drop(claim);
    this.#retries.drop(claim);
    if (this.claims.size === 0) this.#returning.clear();
    this.#parts.ahead.hold(this, this.#ready.bytes);
  }

  async #readAll(): Promise<void> {
    try {
      // What is said in one turn is answered together.
      await yieldToEventLoop();
      while (this.#readAgain && !this.#end.signal.aborted) {
        this.#readAgain = false;
        while (this.#wantsMore && (await this.#readOne()));
      }
    } catch (error) {
      if (this.#end.signal.aborted) return;
      if (!isTransient(error) && !(error instanceof MillraceError && error.code === "database-unavailable")) {
        this.failAll(error instanceof Error ? error : new Error("Reading failed", { cause: error }));
        return;
      }
      this.#parts.logger.warn({ err: error, topic: this.#parts.topic.name }, "cannot read for consumers; trying again");
      // The next sweep tries again.
    }
  }

  get #wantsMore(): boolean {
    if (this.isPaused || this.#end.signal.aborted || !this.#parts.ledger.isHeld || this.writer.isStuck) return false;
    if (this.#retries.count >= this.policy.retryBacklog || this.writer.backlog >= unwrittenMost) return false;
    if (!this.#parts.ahead.mayRead(this, this.#ready.bytes)) return false;
    if (this.#parts.sharing !== "keyed" && this.#ready.count >= this.#wanted) return false;
    for (const consumer of this.consumers) if (consumer.room > 0) return true;
    return false;
  }

  /** How many records to have ready: as many as windows take, or as were handed out in the last half second. */
  get #wanted(): number {
    let windows = 0;
    for (const { window } of this.consumers) windows += window.records;
    const rate = Math.max(this.#handed.before, this.#handed.now) / 2;
    return Math.min(this.#parts.limits.claimRecords, Math.max(claimLeast, windows, Math.ceil(rate)));
  }

  /** Reads a page, or claims more; false: there is nothing now. */
  async #readOne(): Promise<boolean> {
    const { topic, ledger, sharing } = this.#parts;
    const tip = topic.tip.value;
    const source = this.#lowestUnread();
    if (source !== undefined && source.firstOffset < tip.nextOffset) return this.#readPage(source);
    if (sharing !== "shared" || this.#exhaustedAt >= tip.nextOffset) return false;
    const claimed = await ledger.claimMore(this.#wanted, tip.earliestOffset, tip.nextOffset);
    if (claimed === undefined) {
      this.#exhaustedAt = tip.nextOffset;
      return false;
    }
    this.claims.set(claimed.claimId, new Claim(claimed));
    return true;
  }

  #lowestUnread(): OffsetRange | undefined {
    let lowest: OffsetRange | undefined;
    for (const { unread, isLeaving } of this.claims.values()) {
      const range = isLeaving ? undefined : unread.firstRange;
      if (range !== undefined && range.firstOffset < (lowest?.firstOffset ?? Number.POSITIVE_INFINITY)) lowest = range;
    }
    return lowest;
  }

  async #readPage({ firstOffset, nextOffset }: OffsetRange): Promise<boolean> {
    const { topic, pages, limits } = this.#parts;
    const cached = topic.tail.read(firstOffset, limits.pageBytesMax, topic.epoch);
    if (cached !== undefined) {
      this.#take(cached.encoded, firstOffset, cached.records);
      return true;
    }
    const bytes = this.#lastPage?.next === firstOffset ? this.#lastPage.endBytes : undefined;
    // KEYED slots are read together, up to the topic's end.
    const isBounded = this.#parts.sharing === "shared" && Number.isFinite(nextOffset);
    const outcome = await pages.readHistory(
      {
        topic,
        cursor: { direction: "forward", offset: firstOffset, bytes },
        bytes: limits.pageBytesMax,
        ...(isBounded ? { until: nextOffset } : {}),
      },
      this.#end.signal,
    );
    switch (outcome.kind) {
      case "page": {
        const { page } = outcome;
        this.#lastPage = { next: page.next, endBytes: page.endBytes };
        this.#take(page.frames, page.first, page.next - page.first);
        return true;
      }
      case "end":
        return false;
      case "trimmed":
        this.#skip(firstOffset, outcome.head.earliestOffset);
        return true;
      case "missing":
      case "beyond":
      case "gone":
        throw topic.isOver ? overError(topic) : dataLoss(topic, firstOffset);
      default:
        return outcome satisfies never;
    }
  }

  /** Takes a page in: `records` frames from offset `first` on. */
  #take(page: Uint8Array, first: number, records: number): void {
    const { topic, stampClock, sharing } = this.#parts;
    const buffer = Buffer.from(page.buffer, page.byteOffset, page.length);
    const keep = chooseFrames(undefined, topic, stampClock);
    const ends = frameEnds(page, records);
    const bySlot = sharing === "keyed" ? this.#claimsBySlot() : undefined;
    /** Of each slot: up to where everything is either its own or passed. */
    const passedTo = new Map<Claim, number>();
    let claim: Claim | undefined;
    for (let index = 0; index < records; index++) {
      const offset = first + index;
      const start = index === 0 ? 0 : (ends[index - 1] as number);
      const end = ends[index] as number;
      const lane = bySlot === undefined ? undefined : laneOf(buffer, start, end);
      if (bySlot !== undefined) {
        claim = bySlot.get(slotOf(lane, offset));
        if (claim === undefined) continue;
        this.writer.pass(claim, passedTo.get(claim) ?? first, offset);
        passedTo.set(claim, offset + 1);
      } else if (claim?.unread.has(offset) !== true) claim = this.#claimOf(offset);
      if (claim === undefined || !claim.unread.has(offset)) continue;
      if (keep !== undefined && !keep(buffer, start, end)) this.writer.pass(claim, offset, offset + 1);
      else this.#ready.add({ claim, offset, lane, deliveries: 0, failures: 0, page, start, end });
    }
    const next = first + records;
    for (const slot of bySlot?.values() ?? []) this.writer.pass(slot, passedTo.get(slot) ?? first, next);
    for (const { unread } of this.claims.values()) unread.delete(first, next);
    this.#parts.ahead.hold(this, this.#ready.bytes);
    for (const consumer of this.consumers) consumer.wake();
  }

  #claimsBySlot(): Map<number, Claim> {
    const bySlot = new Map<number, Claim>();
    for (const claim of this.claims.values()) {
      if (claim.kind === "slot" && !claim.isLeaving) bySlot.set(claim.slot, claim);
    }
    return bySlot;
  }

  #claimOf(offset: number): Claim | undefined {
    for (const claim of this.claims.values()) if (claim.unread.has(offset)) return claim;
    return undefined;
  }

  /** What is no longer kept is settled, and consumers are told. */
  #skip(first: number, next: number): void {
    for (const claim of this.claims.values()) {
      this.writer.pass(claim, first, next);
      claim.unread.delete(first, next);
    }
    // What waits for its retry, or is with a consumer, is below too: it is found to be gone when its turn comes.
    for (const consumer of this.consumers) consumer.tell({ kind: "skipped", fromOffset: first, toOffset: next });
  }

  /** One timer for deadlines, retries, and another try where the database was away. */
  #schedule(): void {
    if (this.#end.signal.aborted || this.consumers.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      return;
    }
    const everyMs = Math.min(sweepMs.most, Math.max(sweepMs.least, this.policy.ackDeadlineMs / sweepMs.part));
    const nowMs = this.#parts.clock.monotonicMs();
    const waitMs = Math.min(everyMs, Math.max(1, (this.#retries.nextMs ?? Number.POSITIVE_INFINITY) - nowMs));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#sweep, waitMs);
  }

  readonly #sweep = (): void => {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#handed.atMs >= 1000) this.#handed = { atMs: nowMs, now: 0, before: this.#handed.now };
    for (const consumer of this.consumers) {
      for (const [offset, { deadlineMs }] of consumer.outstanding) {
        if (deadlineMs > nowMs) continue;
        const late = consumer.takeBack(offset) as Outstanding;
        const attempt = late.record.deliveries + 1;
        this.#fail(late, `attempt ${attempt} by "${consumer.name}" was not acknowledged in time`, 0, undefined);
        consumer.wake();
      }
    }
    this.#redeliver(nowMs);
    this.read();
    this.#schedule();
  };

  #redeliver(nowMs: number): void {
    if (this.#fetching !== undefined || this.isPaused || (this.#retries.nextMs ?? Number.POSITIVE_INFINITY) > nowMs)
      return;
    if (!this.#parts.ledger.isHeld || !this.#parts.ahead.mayRead(this, this.#ready.bytes)) return;
    this.#fetching = this.#fetch(this.#retries.takeDue(nowMs, redeliveredAtOnce)).finally(() => {
      this.#fetching = undefined;
      this.#schedule();
      for (const consumer of this.consumers) consumer.wake();
    });
  }

  /** Brings records back whose time has come. */
  async #fetch(due: readonly WaitingRecord[]): Promise<void> {
    let frames: Map<number, Uint8Array>;
    try {
      const found = await this.#parts.ledger.readRetryFrames(due.map(({ offset }) => offset));
      frames = new Map(found.map(({ offset, frame }) => [offset, frame]));
    } catch (error) {
      const dueMs = this.#parts.clock.monotonicMs() + 100;
      this.#parts.logger.warn({ err: error }, "cannot read records that failed; trying again");
      for (const record of due) this.#wait({ ...record, dueMs });
      return;
    }
    for (const { dueMs: _, ...record } of due) {
      const { claim, offset } = record;
      this.#returning.delete(offset);
      if (claim.isLost || claim.isLeaving) continue;
      const page = frames.get(offset);
      if (page !== undefined) this.#ready.addAgain({ ...record, page, start: 0, end: page.length });
      else {
        this.#ready.release(record);
        this.writer.forgetRetry(offset);
        this.writer.pass(claim, offset, offset + 1);
      }
    }
    this.#parts.ahead.hold(this, this.#ready.bytes);
  }

  /** Reads on when the topic grows, and ends consumers with it. */
  async #watchTopic(): Promise<void> {
    const { tip } = this.#parts.topic;
    const { signal } = this.#end;
    try {
      while (!signal.aborted) {
        const { version } = tip;
        if (this.#parts.topic.isOver) {
          this.failAll(overError(this.#parts.topic));
          return;
        }
        this.read();
        await tip.changed(version, { signal });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function stateOf({ claim, offset, lane, deliveries, failures }: HeldRecord): RecordState {
  return { claim, offset, lane, deliveries, failures };
}

/** The frames of records; those that stand side by side are one run. */
function runsOf(taken: readonly Outstanding[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  let page: Uint8Array | undefined;
  let start = 0;
  let end = 0;
  for (const { record } of taken) {
    if (record.page === page && record.start === end) {
      end = record.end;
      continue;
    }
    if (page !== undefined) runs.push(page.subarray(start, end));
    ({ page, start, end } = record);
  }
  if (page !== undefined) runs.push(page.subarray(start, end));
  return runs;
}

function dataLoss(topic: Topic, offset: number): MillraceError {
  return new MillraceError(
    "data-loss",
    `Topic "${topic.name}" lost the record at ${offset}: it is kept by the topic's head, and not there. Seek beyond it`,
    { metadata: { topic: topic.name, offset: String(offset) } },
  );
}
