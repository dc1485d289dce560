/**
 * The consumers that share a subscription on this node, and what they share: records of the claims that the node holds.
 * `record-life.ts` has the phases of a record; here they are brought together:
 *
 *   claim-reader ──▶ ready ──take, as windows let through──▶ a consumer's held runs ──verdicts──▶ settle-writer ──▶ database
 *                      ▲                                                                          │ noted
 *                      └──────────────────── redelivery, when its time has come ◀─────────────────┘
 *
 * Everything happens in one turn of the event loop but reading, writing and waiting, which go on beside it, one of each
 * kind at a time. A consumer's call asks for its next message when the transport took the last one, so both gates are open
 * then: the window's and the transport's.
 */

import {
  type ConsumerWaiting,
  type DeliveryPolicy,
  type Limits,
  MillraceError,
  type OffsetRange,
  type Sharing,
  type Window,
} from "../../core/index.js";
import type { Retry, StoredClaim } from "../../store/index.js";
import type { Clock, Logger, Metrics } from "../../telemetry/index.js";
import type { PageReader } from "../reading/page-reader.js";
import type { StampClock } from "../topics/stamp-clock.js";
import type { ConsumerRequest } from "./handing-out/consume-messages.js";
import { overError, type Topic } from "../topics/topic.js";
import { Claim } from "./records/claim.js";
import { ClaimReader } from "./claim-reader.js";
import type { Consumer } from "./handing-out/consumer.js";
import { framesOf, handOut } from "./handing-out/hand-out.js";
import type { AskedRange } from "./records/held-runs.js";
import { KeyedRecords } from "./handing-out/keyed-records.js";
import type { Ledger } from "./settling/ledger.js";
import type { OutstandingBudget } from "./records/outstanding-budget.js";
import { outstandingUntil } from "./outstanding-records.js";
import type { ReadAhead } from "./read-ahead.js";
import type { ReadyRecords } from "./handing-out/ready-records.js";
import { RecentFrames } from "./records/recent-frames.js";
import { attemptOf, frameEnd, frameStart, type HeldRun, recordsIn, type RecordRun } from "./records/record-run.js";
import { Redelivery } from "./settling/redelivery.js";
import { SettleWriter } from "./settling/settle-writer.js";
import { SpreadRecords } from "./handing-out/spread-records.js";
import { Verdicts } from "./settling/verdicts.js";

/** Acknowledged records that may wait for the database. Nothing is handed out beyond that. */
const unwrittenRecordsMax = 100_000;
/** Records in memory that are redelivered. */
const redeliveriesMax = 500;
/** What is claimed of a SHARED subscription at once, at least. */
const claimRecordsMin = 16;
/** How often deadlines are looked at: a part of theirs, between these. */
const sweepMs = { part: 20, min: 20, max: 500 };

/** How long a run is outstanding before the database is asked whether others settled it. */
const askedAfterMs = 1000;

export interface GroupParts {
  readonly topic: Topic;
  readonly sharing: Sharing;
  readonly policy: DeliveryPolicy;
  readonly ledger: Ledger;
  readonly ahead: ReadAhead;
  readonly budget: OutstandingBudget;
  readonly pages: PageReader;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly stampClock: StampClock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Whether this many more records may be parked. */
  readonly mayPark: (records: number) => boolean;
  /** This many more are parked. */
  readonly onPark: (records: number) => void;
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
  readonly #recent: RecentFrames;
  readonly #redelivery: Redelivery;
  readonly #verdicts: Verdicts;
  readonly #reader: ClaimReader;
  readonly #end = new AbortController();
  /** What the lowest unsettled offset was, and whose, when it was looked for. Offsets are only ever taken out of a claim. */
  #lowest: { readonly claim: Claim; readonly offset: number } | undefined;
  /** Records that were handed out since the last second began, and in the one before. */
  #handed = { atMs: 0, now: 0, before: 0 };
  #cancelTimer: (() => void) | undefined;
  #waking: NodeJS.Immediate | undefined;
  #isToShare = false;
  /** Somebody got nothing because of what is not written yet. */
  #isHeldBack = false;
  /** Something was said since consumers were woken last that may concern others, though nothing tells whom. */
  #isStirred = false;
  /** Consumers that keys were spread over last. */
  #sharers: readonly Consumer[] = [];
  /** When the timer fires, by the monotonic clock. */
  #sweepMs = Number.POSITIVE_INFINITY;
  readonly #watching: Promise<void>;

  constructor(parts: GroupParts) {
    this.#parts = parts;
    this.policy = parts.policy;
    this.#ready = parts.sharing === "keyed" ? new KeyedRecords() : new SpreadRecords(parts.sharing === "exclusive");
    this.#recent = new RecentFrames(Math.floor(parts.limits.consumeAheadBytes / 2));
    this.writer = new SettleWriter({
      clock: parts.clock,
      budget: parts.budget,
      intervalMs: parts.limits.settleIntervalMs,
      settle: (write) => parts.ledger.settle(write),
      onNoted: (run) => this.#redelivery.wait(run),
      onElsewhere: (run) => this.#redelivery.forget(run),
      onParked: (run) => {
        parts.metrics.recordsParked.inc(recordsIn(run));
        this.#ready.settled(run);
      },
      onLost: (claims) => this.drop(claims),
      onDone: (claim) => this.#done(claim),
      onProgress: (isNews) => {
        this.#verdicts.departSome();
        const isClosed = parts.topic.tip.value.state === "closed";
        if (isNews || isClosed || this.#isHeldBack) this.#wakeSoon();
        this.#isHeldBack = this.writer.isStuck;
      },
      onFault: (error) => {
        parts.logger.error({ err: error }, "a subscription cannot write what became of its records");
        this.failAll(new MillraceError("internal", "What became of records cannot be written", { cause: error }));
      },
    });
    const shared = { ...parts, ready: this.#ready, writer: this.writer, recent: this.#recent };
    this.#redelivery = new Redelivery({
      ...shared,
      keepsOrder: parts.sharing === "exclusive",
      onWaiting: () => this.#schedule(),
      onReady: () => this.#onReady(),
      // The database does not have them any more, also where this node has not heard of the trim.
      onUnkept: (run) => this.#passOver(run, run.nextOffset),
    });
    this.#verdicts = new Verdicts({ ...shared, redelivery: this.#redelivery, policy: () => this.policy });
    this.#reader = new ClaimReader({
      ...shared,
      claims: this.claims,
      isWanted: () => this.#wantsMore,
      claimCount: () => this.#wanted,
      onRead: () => this.#onReady(),
      onSkipped: (first, next) => this.#tellSkipped(first, next),
      onFault: (error) => this.failAll(error),
    });
    this.#watching = this.#watchTopic();
  }

  /** Records that wait for redelivery. */
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
    for (const consumer of this.consumers) if (consumer.held.records > 0) return true;
    return this.#verdicts.isDeparting;
  }

  get #tip(): number {
    return this.#parts.topic.tip.value.nextOffset;
  }

  /** The lowest offset that is not settled, as far as this node knows. */
  get cursor(): number {
    const known = this.#lowest;
    const isKnown =
      known !== undefined && this.claims.has(known.claim.claimId) && known.claim.todo.first === known.offset;
    if (!isKnown) this.#lowest = lowestOf(this.claims.values());
    return Math.min(this.#tip, this.#lowest?.offset ?? Number.POSITIVE_INFINITY);
  }

  join(consumer: Consumer): void {
    this.consumers.add(consumer);
    this.#parts.budget.join(consumer);
    this.#shareSoon();
    this.#schedule();
    this.read();
  }

  /**
   * A consumer has gone; what it had goes to others. `wasLost`: what it was working on counts as failed, or a record that
   * ends its consumers would do so for ever.
   */
  leave(consumer: Consumer, wasLost: boolean): void {
    if (!this.consumers.delete(consumer)) return;
    this.#parts.budget.leave(consumer);
    if (this.#end.signal.aborted) {
      consumer.held.takeAll();
      return;
    }
    this.#verdicts.takeAll(consumer, wasLost);
    this.#shareSoon();
    this.#schedule();
    this.#wakeSoon();
  }

  /** Its node drains: its share, and what nobody here has begun, goes to those who stay. */
  drain(consumer: Consumer): void {
    consumer.isDraining = true;
    this.#shareSoon();
    consumer.wake();
  }

  /** How many consumers take records, or may ask for some. */
  get staying(): number {
    let count = 0;
    for (const consumer of this.consumers) if (!consumer.isDraining) count += 1;
    return count;
  }

  /** What a consumer says of its window and of its records. */
  hear(consumer: Consumer, request: ConsumerRequest): void {
    const wasSilent = consumer.isSilent;
    consumer.speaks();
    if (request.window !== undefined) this.#changeWindow(consumer, request.window);
    if (wasSilent) this.#shareSoon();
    this.#verdicts.hear(consumer, request);
    this.#isStirred = true;
    this.read();
    consumer.wake();
  }

  /** Records for a consumer's next message, of up to `bytesMax` but at least one; undefined: none now. */
  take(consumer: Consumer, bytesMax: number): Handed | undefined {
    if (!this.#mayHand(consumer)) return undefined;
    const { budget, clock, metrics } = this.#parts;
    const taken = handOut({ ...this.#parts, ready: this.#ready }, consumer, {
      room: Math.min(consumer.room, this.#shareOf(consumer), budget.roomFor(consumer)),
      bytesMax,
      redeliveriesOnly: this.#redeliveriesOnly,
      untilOffset: this.#untilOffset,
      deadlineMs: clock.monotonicMs() + this.policy.ackDeadlineMs,
      onUnkept: (run) => this.#passOver(run),
    });
    this.#holdAhead();
    const [first] = taken;
    if (first === undefined) return undefined;
    const records = taken.reduce((sum, run) => sum + recordsIn(run), 0);
    const { deliveries } = first.state;
    this.#handed.now += records;
    metrics.recordsDelivered.inc({ attempt: deliveries === 0 ? "first" : "redelivery" }, records);
    if (first.state.isNoted) this.#redeliver(clock.monotonicMs());
    this.read();
    return { runs: framesOf(taken), records, attempt: attemptOf(first) };
  }

  /** Why there is nothing for a consumer. */
  waitingOf(consumer: Consumer): ConsumerWaiting {
    if (this.isPaused) return "paused";
    if (consumer.window.bytes === 0) return "window-full-bytes";
    if (consumer.room === 0) return "window-full-records";
    if (!this.#parts.ledger.isHeld || this.writer.isStuck || this.writer.backlog >= unwrittenRecordsMax) {
      return "database";
    }
    if (this.#parts.budget.roomFor(consumer) === 0) return "node-budget";
    if (this.#isOutdone(consumer)) return "other-consumers";
    const next = this.#ready.peek(consumer, this.#redeliveriesOnly);
    if (next !== undefined) {
      const size = frameEnd(next.frames, 0) - frameStart(next.frames, 0);
      return size > consumer.byteRoom ? "window-full-bytes" : "nothing";
    }
    if (this.#redelivery.backlog >= this.policy.retryBacklog) return "retry-backlog-full";
    if (this.#ready.count > 0) return "keys-busy";
    if (this.claims.size === 0 && this.#parts.sharing !== "shared") return "other-consumers";
    if (this.#reader.isReading || this.#redelivery.isFetching) return "database";
    if (this.#redelivery.count > 0) return "retry-delay";
    return "caught-up";
  }

  /** Takes a claim in, with what waits in it for a retry. */
  add(stored: StoredClaim, retries: readonly Retry[]): void {
    const claim = new Claim(stored, this.#parts.ledger.attemptsBefore);
    this.claims.set(claim.claimId, claim);
    this.#lowest = undefined;
    this.#redelivery.restore(claim, retries);
    this.#reader.include(claim);
    this.#reader.lookAgain();
  }

  /** Somebody else has these claims. What consumers have of them is theirs no more. */
  drop(claims: Iterable<Claim>): void {
    const lost = [...claims].filter((claim) => !claim.isLost);
    if (lost.length === 0) return;
    for (const claim of lost) claim.isLost = true;
    // Once for all of them: a node may hold as many claims as records.
    for (const consumer of this.consumers) {
      consumer.held.takeWhere(
        (run) => run.claim.isLost,
        (run) => {
          // What its transport has not taken yet, it works on in vain.
          if (run.state.phase === "sending") consumer.refuse(attemptOf(run), run.firstOffset, run.nextOffset);
          // A redriven claim may go without its slot: its keys are worked on no more.
          this.#ready.settled(run);
        },
      );
      // It may have nothing any more, which its call waits for while the node drains.
      if (consumer.isDraining) consumer.wake();
    }
    for (const claim of lost) this.#forget(claim);
    this.#holdAhead();
  }

  /** Hands out no more of a claim, which is about to be given to another node. */
  retire(claim: Claim): void {
    if (claim.isLeaving) return;
    claim.isLeaving = true;
    this.#ready.drop(claim);
    this.#redelivery.drop(claim);
  }

  /** A retired claim of which no consumer has anything is gone from here. */
  release(claim: Claim): void {
    claim.isLost = true;
    this.#forget(claim);
    this.#holdAhead();
  }

  /** A Commit settled these, which ascend and lie apart. Consumers lose those that they have at these attempts. */
  settled(ranges: readonly AskedRange[]): void {
    for (const consumer of this.consumers) this.#takeSettled(consumer, ranges, () => true);
    for (const { todo, attemptsBefore } of this.claims.values()) {
      // Most claims have none of them, and there may be thousands of both.
      for (let index = indexFrom(ranges, todo.first ?? Infinity); index < ranges.length; index++) {
        const { firstOffset, nextOffset, attempt } = ranges[index] as AskedRange;
        if (firstOffset >= todo.next) break;
        // One that its consumer released before is not handed out any more. A replay after a Seek is another matter.
        if (attempt > attemptsBefore) todo.delete(firstOffset, nextOffset);
      }
    }
    this.wakeAll();
  }

  /** These are in a claim no more: somebody else settled them. */
  settledOf(claimId: number, ranges: readonly OffsetRange[]): void {
    const asked = ranges.map((range) => ({ ...range, attempt: 0 }));
    for (const consumer of this.consumers) this.#takeSettled(consumer, asked, ({ claim }) => claim.claimId === claimId);
    this.wakeAll();
  }

  /** What consumers have had for a while, by claim. */
  outstanding(): ReturnType<typeof outstandingUntil> {
    const nowMs = this.#parts.clock.monotonicMs();
    return outstandingUntil(this.consumers, nowMs + this.policy.ackDeadlineMs - askedAfterMs);
  }

  /** Ends all consumers at once: what they had is taken off them before anybody else gets anything. */
  evictAll(error: Error): void {
    for (const consumer of this.consumers) {
      consumer.fail(error);
      this.leave(consumer, false);
    }
  }

  /** Ends all consumers, and this group with them: a consumer that joins later needs another group. */
  failAll(error: Error): void {
    this.isOver = true;
    for (const consumer of this.consumers) consumer.fail(error);
  }

  /** Wakes all once, whatever happens in this turn: a thousand may come or go in one. */
  #wakeSoon(): void {
    if (this.#waking !== undefined) return;
    this.#waking = setImmediate(() => {
      this.#waking = undefined;
      if (this.#isToShare) this.#share();
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
    this.#verdicts.departAll();
    await this.writer.flush();
    patience.removeEventListener("abort", giveUp);
    this.#end.abort();
    this.#cancelTimer?.();
    clearImmediate(this.#waking);
    this.writer.giveUp();
    await Promise.allSettled([this.#reader.close(), this.#redelivery.settled(), this.#watching]);
    this.writer.clear();
    this.#redelivery.clear();
    this.#parts.ahead.leave(this);
  }

  #changeWindow(consumer: Consumer, window: Window): void {
    const wasOpen = consumer.isOpen;
    consumer.askedWindow = window;
    this.#parts.budget.ask(consumer);
    if (consumer.isOpen !== wasOpen) this.#shareSoon();
  }

  #takeSettled(consumer: Consumer, ranges: readonly AskedRange[], isMeant: (run: HeldRun) => boolean): void {
    consumer.held.use(
      ranges,
      (run) => {
        if (!isMeant(run)) return run;
        this.#settledFor(consumer, run);
        return undefined;
      },
      () => undefined,
    );
  }

  #settledFor(consumer: Consumer, run: HeldRun): void {
    const { claim, firstOffset, nextOffset } = run;
    claim.todo.delete(firstOffset, nextOffset);
    this.#ready.settled(run);
    consumer.acknowledges();
    if (claim.todo.isEmpty) this.#done(claim);
  }

  #mayHand(consumer: Consumer): boolean {
    if (this.writer.isStuck || this.writer.backlog >= unwrittenRecordsMax) {
      this.#isHeldBack = true;
      return false;
    }
    return !this.isPaused && consumer.failure === undefined && this.#parts.ledger.isHeld && !this.#isOutdone(consumer);
  }

  /** Whether a consumer that lets deadlines pass without a word stands back for one that does not. */
  #isOutdone(consumer: Consumer): boolean {
    if (this.#parts.sharing === "keyed" || !consumer.isSilent) return false;
    for (const each of this.consumers) if (each.room > 0 && isLively(each)) return true;
    return false;
  }

  get #redeliveriesOnly(): boolean {
    return this.#redelivery.backlog >= this.policy.retryBacklog;
  }

  /** EXCLUSIVE: from here on nothing is handed out, for what is before it is on its way, or is not read yet. */
  get #untilOffset(): number {
    let until = this.#redelivery.expectedOffset;
    if (this.#parts.sharing !== "exclusive" || this.#redeliveriesOnly) return until;
    for (const { kind, unread } of this.claims.values()) {
      if (kind !== "redriven" && unread.first !== undefined) until = Math.min(until, unread.first);
    }
    return until;
  }

  /** Settles records that no consumer gets any more, and says so where the topic was trimmed. */
  #passOver(run: RecordRun, earliestOffset = this.#parts.topic.tip.value.earliestOffset): void {
    const { claim, firstOffset, nextOffset, state } = run;
    if (state.isNoted) this.writer.forgetRetries(run);
    this.writer.pass(claim, firstOffset, nextOffset);
    const trimmedTo = Math.min(nextOffset, earliestOffset);
    if (claim.kind !== "redriven" && firstOffset < trimmedTo) this.#tellSkipped(firstOffset, trimmedTo);
  }

  /** Brings what is redelivered, whatever is read ahead: in KEYED groups all of that may wait for these. */
  #redeliver(nowMs: number): void {
    if (this.#mayRedeliver) this.#redelivery.redeliver(nowMs, this.#redeliveryRoom);
    else if (this.#isHeldUp) this.#redelivery.redeliverFirst(nowMs);
  }

  get #mayRedeliver(): boolean {
    return this.#mayFetch && this.#redeliveryRoom > 0;
  }

  get #mayFetch(): boolean {
    return this.#parts.ledger.isHeld && !this.isPaused && !this.#redelivery.isFetching;
  }

  /** Whether what is redelivered fills its room, and a consumer that has room waits for what comes before all of it. */
  get #isHeldUp(): boolean {
    if (this.#redelivery.expectedOffset === Number.POSITIVE_INFINITY || this.writer.isStuck || !this.#mayFetch)
      return false;
    for (const { room } of this.consumers) if (room > 0) return this.#redeliveryRoom <= 0;
    return false;
  }

  /** How many more records that are redelivered may be in memory: few where they are large. */
  get #redeliveryRoom(): number {
    const { limits, topic } = this.#parts;
    const fitting = Math.max(1, Math.floor(limits.consumeAheadBytes / topic.meanFrameBytes));
    return Math.min(redeliveriesMax, fitting) - this.#ready.redeliveryCount;
  }

  /** How much of what is ready one consumer may take, so that others with room get theirs: by their free windows. */
  #shareOf(consumer: Consumer): number {
    if (this.consumers.size === 1 || this.#parts.sharing === "keyed") return Number.POSITIVE_INFINITY;
    // Many are woken for nothing, and each would look at all others.
    if (this.#ready.count === 0) return Number.POSITIVE_INFINITY;
    // A message has records of one attempt: what is redelivered is few, and would make a small message for everybody.
    if (this.#ready.redeliveryCount > 0) return Number.POSITIVE_INFINITY;
    // One whose transport has not taken its last message takes nothing now.
    let room = consumer.room;
    for (const each of this.consumers) if (each !== consumer && !each.isSending) room += each.room;
    return Math.ceil((this.#ready.count * consumer.room) / Math.max(1, room));
  }

  /** Nothing is left of a claim. */
  #done(claim: Claim): void {
    this.#forget(claim);
    this.#holdAhead();
  }

  #forget(claim: Claim): void {
    this.claims.delete(claim.claimId);
    this.#ready.drop(claim);
    this.#redelivery.drop(claim);
  }

  /** Once for all that come, go, pause and go on in this turn: to spread keys over a thousand takes a millisecond. */
  #shareSoon(): void {
    if (this.#parts.sharing !== "keyed") return;
    this.#isToShare = true;
    this.#wakeSoon();
  }

  /**
   * Keys are spread over those who take any: one that paused would hold up all others, once what is its is read ahead. Those
   * that do not read or say nothing get none while there are others. True: they are spread over others than before.
   */
  #share(): boolean {
    this.#isToShare = false;
    const open = [...this.consumers].filter((consumer) => consumer.isOpen);
    const lively = open.filter(isLively);
    const sharers = lively.length > 0 ? lively : open;
    const before = this.#sharers;
    if (sharers.length === before.length && sharers.every((each, index) => each === before[index])) return false;
    this.#sharers = sharers;
    this.#ready.share(sharers);
    return true;
  }

  #holdAhead(): void {
    const { ahead } = this.#parts;
    // Kept frames are a convenience: they yield to what is read ahead.
    if (!ahead.hasPlenty) this.#recent.clear();
    ahead.hold(this, this.#ready.bytes + this.#recent.bytes + this.#redelivery.frameBytes);
  }

  #tellSkipped(firstOffset: number, nextOffset: number): void {
    for (const consumer of this.consumers) consumer.tell({ kind: "skipped", firstOffset, nextOffset });
  }

  #onReady(): void {
    this.#isStirred = false;
    this.#holdAhead();
    this.#schedule();
    for (const consumer of this.consumers) if (consumer.room > 0) consumer.wake();
  }

  get #wantsMore(): boolean {
    if (this.isPaused || this.#end.signal.aborted || !this.#parts.ledger.isHeld || this.writer.isStuck) return false;
    if (this.#redelivery.backlog >= this.policy.retryBacklog || this.writer.backlog >= unwrittenRecordsMax)
      return false;
    // What is redelivered may have to wait for what is not read yet.
    const fresh = this.#ready.count - this.#ready.redeliveryCount;
    if (!this.#parts.ahead.mayRead(this, fresh === 0 ? 0 : this.#ready.bytes)) return false;
    const ready = this.#parts.sharing === "exclusive" ? fresh : this.#ready.count;
    if (this.#parts.sharing !== "keyed" && ready >= this.#wanted) return false;
    for (const consumer of this.consumers) if (consumer.room > 0) return true;
    // While consumers work off their windows the next records are read, or each of them waited for the database.
    return this.#parts.sharing !== "keyed" && this.#handed.now + this.#handed.before > 0;
  }

  /** How many records to have ready: as many as windows take, or as were handed out in the last half second. */
  get #wanted(): number {
    let windows = 0;
    for (const { window } of this.consumers) windows += window.records;
    const rate = Math.max(this.#handed.before, this.#handed.now) / 2;
    return Math.min(this.#parts.limits.claimRecords, Math.max(claimRecordsMin, windows, Math.ceil(rate)));
  }

  /** One timer for deadlines, redeliveries, and another try where the database was away. */
  #schedule(): void {
    if (this.#end.signal.aborted || this.consumers.size === 0) {
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
      return;
    }
    const everyMs = Math.min(sweepMs.max, Math.max(sweepMs.min, this.policy.ackDeadlineMs / sweepMs.part));
    const nowMs = this.#parts.clock.monotonicMs();
    const waitingMs = this.#isHeldUp ? 0 : Number.POSITIVE_INFINITY;
    const dueMs = this.#mayRedeliver ? this.#redelivery.nextMs - nowMs : waitingMs;
    const waitMs = Math.min(everyMs, Math.max(1, dueMs));
    // It is only ever moved forward: consumers that are busy would put it off for ever.
    if (this.#cancelTimer !== undefined && this.#sweepMs <= nowMs + waitMs) return;
    this.#cancelTimer?.();
    this.#sweepMs = nowMs + waitMs;
    this.#cancelTimer = this.#parts.clock.startTimer(waitMs, this.#sweep);
  }

  readonly #sweep = (): void => {
    this.#cancelTimer = undefined;
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#handed.atMs >= 1000) this.#handed = { atMs: nowMs, now: 0, before: this.#handed.now };
    for (const consumer of this.consumers) this.#verdicts.expire(consumer, nowMs);
    // One may have stopped or begun to read, or to answer.
    if (this.#parts.sharing === "keyed" && this.#share()) this.#wakeSoon();
    this.#redeliver(nowMs);
    this.read();
    // There may be room in the node's budget again, or its hold is certain again: nobody says so.
    if (this.#isStirred || this.#ready.count > 0) this.#onReady();
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

function isLively(consumer: Consumer): boolean {
  return !consumer.isSilent && !consumer.isStalled;
}

/** The lowest offset that is to be settled; what was redriven says nothing of how far a group is. */
function lowestOf(claims: Iterable<Claim>): { readonly claim: Claim; readonly offset: number } | undefined {
  let lowest: { readonly claim: Claim; readonly offset: number } | undefined;
  for (const claim of claims) {
    const { kind, todo } = claim;
    if (kind === "redriven" || todo.first === undefined) continue;
    if (lowest === undefined || todo.first < lowest.offset) lowest = { claim, offset: todo.first };
  }
  return lowest;
}

/** The index of the first range that ends above an offset. */
function indexFrom(ranges: readonly OffsetRange[], offset: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as OffsetRange).nextOffset <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
