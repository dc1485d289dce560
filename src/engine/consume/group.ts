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

import { type DeliveryPolicy, type Limits, MillraceError, type Sharing } from "../../core/index.js";
import type { Retry, StoredClaim } from "../../store/index.js";
import type { Clock, Logger, Metrics } from "../../telemetry/index.js";
import { overError } from "../appender.js";
import type { PageReader } from "../page-reader.js";
import type { StampClock } from "../stamp-clock.js";
import type { ConsumerRequest, ConsumerWaiting } from "../subscription-engine.js";
import type { Topic } from "../topic.js";
import { Claim } from "./claim.js";
import { ClaimReader } from "./claim-reader.js";
import type { Consumer, Outstanding } from "./consumer.js";
import { type HeldRecord, stateOf } from "./held-record.js";
import { KeyedRecords } from "./keyed-records.js";
import type { Ledger } from "./ledger.js";
import type { ReadAhead } from "./read-ahead.js";
import type { ReadyRecords } from "./ready-records.js";
import { Redelivery } from "./redelivery.js";
import { SettleWriter } from "./settle-writer.js";
import { SpreadRecords } from "./spread-records.js";
import { Verdicts } from "./verdicts.js";

/** Acknowledged records that wait for the database: beyond so many nothing is handed out. */
const unwrittenMost = 100_000;
/** Records in memory that come again, at most. */
const againMost = 500;
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
  isOver = false;
  readonly #parts: GroupParts;
  readonly #ready: ReadyRecords;
  readonly #redelivery: Redelivery;
  readonly #verdicts: Verdicts;
  readonly #reader: ClaimReader;
  readonly #end = new AbortController();
  /** Records that were handed out since the last second began, and in the one before. */
  #handed = { atMs: 0, now: 0, before: 0 };
  #timer: NodeJS.Timeout | undefined;
  #waking: NodeJS.Immediate | undefined;
  /** When it fires, by the monotonic clock. */
  #sweepMs = Number.POSITIVE_INFINITY;
  readonly #watching: Promise<void>;

  constructor(parts: GroupParts) {
    this.#parts = parts;
    this.policy = parts.policy;
    this.#ready = parts.sharing === "keyed" ? new KeyedRecords() : new SpreadRecords();
    this.writer = new SettleWriter({
      clock: parts.clock,
      intervalMs: parts.limits.settleIntervalMs,
      settle: (write) => parts.ledger.settle(write),
      onRetry: (record, delayMs) => this.#redelivery.wait(record, delayMs),
      onElsewhere: (record) => this.#redelivery.forget(record),
      onParked: (record) => {
        parts.metrics.recordsParked.inc();
        this.#ready.settled(record);
      },
      onLost: (claim) => this.drop(claim),
      onDone: (claim) => this.#forget(claim),
      onProgress: () => this.#wakeSoon(),
      onFault: (error) => {
        parts.logger.error({ err: error }, "a subscription cannot write what became of its records");
        this.failAll(new MillraceError("internal", "What became of records cannot be written", { cause: error }));
      },
    });
    const shared = { ...parts, ready: this.#ready, writer: this.writer };
    this.#redelivery = new Redelivery({
      ...shared,
      keepsOrder: parts.sharing === "exclusive",
      onWaiting: () => this.#schedule(),
      onReady: () => this.#onReady(),
    });
    this.#verdicts = new Verdicts({ ...shared, redelivery: this.#redelivery, policy: () => this.policy });
    this.#reader = new ClaimReader({
      ...shared,
      claims: this.claims,
      isWanted: () => this.#wantsMore,
      claimCount: () => this.#wanted,
      onRead: () => this.#onReady(),
      onSkipped: (first, next) => {
        for (const consumer of this.consumers) consumer.tell({ kind: "skipped", firstOffset: first, nextOffset: next });
      },
      onFault: (error) => this.failAll(error),
    });
    this.#watching = this.#watchTopic();
  }

  /** Records that wait for their retry. */
  get retryCount(): number {
    return this.#redelivery.count;
  }

  /** Nothing is ready, with a consumer, or on its way to the database. */
  get isIdle(): boolean {
    const isUnread = [...this.claims.values()].some((claim) => (claim.unread.first ?? Infinity) < this.#tip);
    return (
      !isUnread && this.#ready.count === 0 && this.#redelivery.count === 0 && this.writer.backlog === 0 && !this.#has
    );
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
    this.#share();
    this.#schedule();
    this.read();
  }

  /**
   * A consumer has gone; what it had goes to others. `wasLost`: what it was working on counts as failed, or a record that
   * ends its consumers would do so for ever.
   */
  leave(consumer: Consumer, wasLost: boolean): void {
    if (!this.consumers.delete(consumer)) return;
    this.#verdicts.takeAll(consumer, wasLost);
    this.#share();
    this.#schedule();
    this.#wakeSoon();
  }

  /** What a consumer says of its window and of its records. */
  hear(consumer: Consumer, request: ConsumerRequest): void {
    if (request.window !== undefined) {
      const wasOpen = consumer.isOpen;
      consumer.window = request.window;
      if (consumer.isOpen !== wasOpen) this.#share();
      consumer.tell({ kind: "window-changed", window: request.window });
    }
    this.#verdicts.hear(consumer, request);
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
    const taken: HeldRecord[] = [];
    const handed: Outstanding[] = [];
    for (; room > 0; room--) {
      const record = this.#ready.peek(consumer, againOnly);
      if (record === undefined) break;
      const size = record.end - record.start;
      if (taken.length > 0 && (record.deliveries + 1 !== attempt || bytes + size > bytesMax)) break;
      if (size > byteRoom) break;
      this.#ready.take(consumer, record);
      // Without its frame: one record that is not acknowledged would hold its whole page.
      const outstanding = { record: stateOf(record), bytes: size, deadlineMs: Number.POSITIVE_INFINITY };
      consumer.hand(outstanding);
      taken.push(record);
      handed.push(outstanding);
      attempt = record.deliveries + 1;
      bytes += size;
      byteRoom = consumer.byteRoom;
    }
    if (taken.length === 0) return undefined;
    consumer.carry(handed);
    this.#handed.now += taken.length;
    this.#parts.metrics.recordsDelivered.inc({ attempt: attempt === 1 ? "first" : "again" }, taken.length);
    this.#holdAhead();
    if (attempt > 1) this.#redeliver(this.#parts.clock.monotonicMs());
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
    if (this.#redelivery.backlog >= this.policy.retryBacklog) return "retry-backlog-full";
    if (this.#ready.count > 0) return "keys-busy";
    if (this.claims.size === 0 && this.#parts.sharing !== "shared") return "other-consumers";
    if (this.#reader.isReading || this.#redelivery.isFetching) return "database";
    if (this.#redelivery.count > 0) return "retry-delay";
    return "caught-up";
  }

  /** Takes a claim in, with what waits in it for a retry. */
  add(stored: StoredClaim, retries: readonly Retry[]): void {
    const claim = new Claim(stored);
    this.claims.set(claim.claimId, claim);
    this.#redelivery.take(claim, retries);
    this.#reader.lookAgain();
  }

  /** Somebody else has the claim. What consumers have of it is theirs no more. */
  drop(claim: Claim): void {
    if (claim.isLost) return;
    claim.isLost = true;
    for (const consumer of this.consumers) {
      for (const [offset, { record }] of consumer.outstanding) {
        if (record.claim !== claim) continue;
        consumer.takeBack(offset);
        // A redriven claim may go without its slot: the key is worked on no more.
        this.#ready.settled(record);
      }
    }
    this.#forget(claim);
  }

  /** Hands out no more of a claim, which is about to be given to another node. */
  retire(claim: Claim): void {
    claim.isLeaving = true;
    this.#ready.drop(claim);
    this.#redelivery.drop(claim);
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
    for (const consumer of this.consumers) {
      consumer.fail(error);
      this.leave(consumer, false);
    }
  }

  /** Ends all consumers, and this group with them: whoever comes later needs another. */
  failAll(error: Error): void {
    this.isOver = true;
    for (const consumer of this.consumers) consumer.fail(error);
  }

  /** Wakes all once, whatever happens in this turn: a thousand may come or go in one. */
  #wakeSoon(): void {
    if (this.#waking !== undefined) return;
    this.#waking = setImmediate(() => {
      this.#waking = undefined;
      this.wakeAll();
    });
  }

  wakeAll(): void {
    for (const consumer of this.consumers) consumer.wake();
    this.read();
  }

  /** Reads on, as far as it is wanted. */
  read(): void {
    this.#reader.read();
  }

  /** The rest may have changed: look again whether there is more to claim. */
  lookAgain(): void {
    this.#reader.lookAgain();
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
    clearImmediate(this.#waking);
    this.writer.giveUp();
    await Promise.allSettled([this.#reader.close(), this.#redelivery.settled(), this.#watching]);
    this.#parts.ahead.leave(this);
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
    return this.#redelivery.backlog >= this.policy.retryBacklog || this.#redelivery.isReturning;
  }

  /** Fetches what comes again, whatever is read ahead: in KEYED groups all of that may wait for these. */
  #redeliver(nowMs: number): void {
    if (this.#mayRedeliver) this.#redelivery.redeliver(nowMs, this.#againRoom);
  }

  get #mayRedeliver(): boolean {
    return this.#parts.ledger.isHeld && !this.isPaused && !this.#redelivery.isFetching && this.#againRoom > 0;
  }

  /** How many more records that come again may be in memory: few where they are large. */
  get #againRoom(): number {
    const { limits, topic } = this.#parts;
    const most = Math.min(againMost, Math.max(1, Math.floor(limits.consumeAheadBytes / topic.meanFrameBytes)));
    return most - this.#ready.againCount;
  }

  /** How much of what is ready one consumer may take, so that others with room get theirs: by their free windows. */
  #shareOf(consumer: Consumer): number {
    if (this.consumers.size === 1 || this.#parts.sharing === "keyed") return Number.POSITIVE_INFINITY;
    // One whose transport has not taken its last message takes nothing now.
    let room = consumer.room;
    for (const each of this.consumers) if (each !== consumer && !each.isSending) room += each.room;
    return Math.ceil((this.#ready.count * consumer.room) / Math.max(1, room));
  }

  #forget(claim: Claim): void {
    this.claims.delete(claim.claimId);
    this.#ready.drop(claim);
    this.#redelivery.drop(claim);
    this.#holdAhead();
  }

  /** Keys are spread over those who take any: one that paused would hold up all others, once what is its is read ahead. */
  #share(): void {
    this.#ready.share(new Set([...this.consumers].filter((consumer) => consumer.isOpen)));
  }

  #holdAhead(): void {
    this.#parts.ahead.hold(this, this.#ready.bytes);
  }

  #onReady(): void {
    this.#holdAhead();
    this.#schedule();
    for (const consumer of this.consumers) if (consumer.room > 0) consumer.wake();
  }

  get #wantsMore(): boolean {
    if (this.isPaused || this.#end.signal.aborted || !this.#parts.ledger.isHeld || this.writer.isStuck) return false;
    if (this.#redelivery.backlog >= this.policy.retryBacklog || this.writer.backlog >= unwrittenMost) return false;
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

  /** One timer for deadlines, retries, and another try where the database was away. */
  #schedule(): void {
    if (this.#end.signal.aborted || this.consumers.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      return;
    }
    const everyMs = Math.min(sweepMs.most, Math.max(sweepMs.least, this.policy.ackDeadlineMs / sweepMs.part));
    const nowMs = this.#parts.clock.monotonicMs();
    const dueMs = this.#mayRedeliver ? this.#redelivery.nextMs - nowMs : Number.POSITIVE_INFINITY;
    const waitMs = Math.min(everyMs, Math.max(1, dueMs));
    // It is only ever moved forward: consumers that are busy would put it off for ever.
    if (this.#timer !== undefined && this.#sweepMs <= nowMs + waitMs) return;
    clearTimeout(this.#timer);
    this.#sweepMs = nowMs + waitMs;
    this.#timer = setTimeout(this.#sweep, waitMs);
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#handed.atMs >= 1000) this.#handed = { atMs: nowMs, now: 0, before: this.#handed.now };
    for (const consumer of this.consumers) this.#verdicts.expire(consumer, nowMs);
    this.#redeliver(nowMs);
    this.read();
    this.#schedule();
  };

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

/** The frames of records; those that stand side by side are one run. */
function runsOf(taken: readonly HeldRecord[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  let page: Uint8Array | undefined;
  let start = 0;
  let end = 0;
  for (const record of taken) {
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
