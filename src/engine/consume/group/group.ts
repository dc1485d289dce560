/**
 * The consumers that share a subscription on this node, and what they share: records of the claims that the node holds.
 * `record-life.ts` has the phases of a record; here they are brought together:
 *
 *   claim-reader ──▶ ready ──take, as windows let through──▶ a consumer's held runs ──verdicts──▶ settle-writer ──▶ database
 *                      ▲                                                                          │ noted
 *                      └──────────────────── redelivery, when its time has come ◀─────────────────┘
 *
 * Reading, writing and waiting go on beside the rest, one of each kind at a time; all else happens in one turn of the event
 * loop. A consumer's call asks for its next message when the transport took the last one: so records are taken when both
 * its window and its transport have room.
 */

import type { ConsumerWaiting, DeliveryPolicy, Limits, OffsetRange, Sharing, Window } from "../../../core/index.js";
import type { Retry, StoredClaim } from "../../../store/index.js";
import type { Clock, Logger, Metrics } from "../../../telemetry/index.js";
import type { PageReader } from "../../reading/page-reader.js";
import type { StampClock } from "../../topics/stamp-clock.js";
import { overError, type Topic } from "../../topics/topic.js";
import { ClaimReader } from "./claim-reader.js";
import { ClaimedRecords } from "./claimed-records.js";
import type { ConsumerRequest } from "../handing-out/consume-messages.js";
import type { Consumer } from "../handing-out/consumer.js";
import { ConsumerSet } from "../handing-out/consumer-set.js";
import { fairShare, isOutdone, keySharers } from "../handing-out/fair-share.js";
import { framesOf, handOut } from "../handing-out/hand-out.js";
import { outstandingUntil } from "../handing-out/outstanding-records.js";
import type { ReadAhead } from "./read-ahead.js";
import { ReadDemand } from "./read-demand.js";
import type { AskedRange } from "../records/held-runs.js";
import type { OutstandingBudget } from "../records/outstanding-budget.js";
import { attemptOf, recordsIn } from "../records/record-run.js";
import type { DeliverySettings } from "../settling/delivery-settings.js";
import type { Ledger } from "../settling/ledger.js";
import { redeliverInTurn, redeliveryWaitMs } from "../settling/redelivery-turn.js";
import { type Parking, Verdicts } from "../settling/verdicts.js";
import { SweepTimer } from "./sweep-timer.js";
import { waitingReason } from "./waiting-reason.js";

/** How long records are outstanding before the database is asked whether others settled them. */
const askedAfterMs = 1000;

export interface GroupParts extends Parking {
  readonly topic: Topic;
  readonly sharing: Sharing;
  readonly policy: DeliveryPolicy;
  readonly isPaused: boolean;
  readonly ledger: Ledger;
  readonly ahead: ReadAhead;
  readonly budget: OutstandingBudget;
  readonly pages: PageReader;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly stampClock: StampClock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** The topic has grown, or its state has changed. */
  readonly onGrown: () => void;
}

/** Records for one message. */
export interface Handed {
  readonly runs: readonly Uint8Array[];
  readonly records: number;
  readonly attempt: number;
}

/** What the parts of a group share. */
type Shared = Pick<Group, "consumers" | "settings"> &
  Pick<ClaimedRecords, "claims" | "ready" | "recent" | "redelivery" | "writer">;

export class Group {
  readonly consumers = new ConsumerSet();
  readonly settings: DeliverySettings;
  readonly records: ClaimedRecords;
  readonly #parts: GroupParts & Shared;
  readonly #verdicts: Verdicts;
  readonly #demand: ReadDemand;
  readonly #reader: ClaimReader;
  readonly #timer: SweepTimer;
  readonly #end = new AbortController();
  readonly #watching: Promise<void>;
  #waking: NodeJS.Immediate | undefined;
  /** Keys are to be spread over consumers once more. */
  #isToShare = false;
  /** A consumer got nothing because the database is behind. */
  #isHeldBack = false;
  /** A consumer said something since consumers were woken last, and it may concern others: nothing tells whom. */
  #isStirred = false;

  constructor(parts: GroupParts) {
    const { policy, isPaused, topic, clock } = parts;
    this.settings = { policy, isPaused };
    const shared = { ...parts, consumers: this.consumers, settings: this.settings };
    this.records = new ClaimedRecords({
      ...shared,
      onProgress: (isNews) => {
        this.#verdicts.departSome();
        const isClosed = topic.tip.value.state === "closed";
        if (isNews || isClosed || this.#isHeldBack) this.#wakeSoon();
        this.#isHeldBack = this.records.writer.isStuck;
      },
      onWaiting: () => this.#schedule(),
      onReady: () => this.#onReady(),
    });
    const { claims, ready, recent, redelivery, writer } = this.records;
    this.#parts = { ...shared, claims, ready, recent, redelivery, writer };
    this.#verdicts = new Verdicts(this.#parts);
    this.#demand = new ReadDemand(this.#parts);
    this.#reader = new ClaimReader({ ...this.#parts, demand: this.#demand, onRead: () => this.#onReady() });
    this.#timer = new SweepTimer(clock, () => this.#sweep());
    this.#watching = this.#watchTopic();
  }

  /** Nothing is ready, with a consumer, or on its way to the database. */
  get isIdle(): boolean {
    return this.records.isIdle && !this.#verdicts.isDeparting;
  }

  /** The lowest offset that is not settled, as far as this node knows. */
  get cursor(): number {
    return Math.min(this.#parts.topic.tip.value.nextOffset, this.records.claims.lowestOffset);
  }

  join(consumer: Consumer): void {
    this.consumers.add(consumer);
    this.#parts.budget.join(consumer);
    this.#shareSoon();
    this.#schedule();
    this.#reader.read();
  }

  /**
   * A consumer has gone, and its records go to others. `wasLost`: those that it was working on count as failed, or a record
   * that ends its consumers would do so for ever.
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

  /** Its node drains: its keys, and the records that nobody here has begun, go to consumers that stay. */
  drain(consumer: Consumer): void {
    consumer.isDraining = true;
    this.#shareSoon();
    consumer.wake();
  }

  /** Takes in a consumer's window and verdicts. */
  hear(consumer: Consumer, request: ConsumerRequest): void {
    const wasSilent = consumer.isSilent;
    consumer.speaks();
    if (request.window !== undefined) this.#changeWindow(consumer, request.window);
    if (wasSilent) this.#shareSoon();
    this.#verdicts.hear(consumer, request);
    this.#isStirred = true;
    this.#reader.read();
    consumer.wake();
  }

  /** Records for a consumer's next message, of up to `bytesMax` but at least one; undefined: none now. */
  take(consumer: Consumer, bytesMax: number): Handed | undefined {
    if (!this.#mayHand(consumer)) return undefined;
    const { budget, clock, metrics, redelivery } = this.#parts;
    const taken = handOut(this.#parts, consumer, {
      room: Math.min(consumer.room, fairShare(consumer, this.#parts), budget.roomFor(consumer)),
      bytesMax,
      redeliveriesOnly: redelivery.isBacklogFull,
      untilOffset: this.#untilOffset,
      deadlineMs: clock.monotonicMs() + this.settings.policy.ackDeadlineMs,
      onUnkept: (run) => this.records.passOver(run),
    });
    this.records.holdAhead();
    const [first] = taken;
    if (first === undefined) return undefined;
    const records = taken.reduce((sum, run) => sum + recordsIn(run), 0);
    const { deliveries, isNoted } = first.state;
    this.#demand.handed(records);
    metrics.recordsDelivered.inc({ attempt: deliveries === 0 ? "first" : "redelivery" }, records);
    if (isNoted) redeliverInTurn(this.#parts, clock.monotonicMs());
    this.#reader.read();
    return { runs: framesOf(taken), records, attempt: attemptOf(first) };
  }

  waitingOf(consumer: Consumer): ConsumerWaiting {
    return waitingReason(consumer, this.#parts, this.#reader.isReading);
  }

  /** Takes a claim in, with the records of it that wait for redelivery. */
  add(stored: StoredClaim, retries: readonly Retry[]): void {
    this.#reader.include(this.records.add(stored, retries));
    this.lookAgain();
  }

  /** As of `ClaimedRecords.settled`. */
  settled(ranges: readonly AskedRange[]): void {
    this.records.settled(ranges);
    this.wakeAll();
  }

  /** As of `ClaimedRecords.settledOf`. */
  settledOf(claimId: number, ranges: readonly OffsetRange[]): void {
    this.records.settledOf(claimId, ranges);
    this.wakeAll();
  }

  /** The records that have been outstanding for `askedAfterMs`, by claim. */
  outstanding(): ReturnType<typeof outstandingUntil> {
    const nowMs = this.#parts.clock.monotonicMs();
    return outstandingUntil(this.consumers, nowMs + this.settings.policy.ackDeadlineMs - askedAfterMs);
  }

  /** Ends all consumers at once: their records are taken off them before another consumer gets any. */
  evictAll(error: Error): void {
    for (const consumer of this.consumers) {
      consumer.fail(error);
      this.leave(consumer, false);
    }
  }

  wakeAll(): void {
    this.consumers.wakeAll();
    this.#reader.read();
  }

  /** What can be claimed may have changed. */
  lookAgain(): void {
    this.#reader.lookAgain();
  }

  /** Writes what is pending, until `patience` aborts, and stops. */
  async close(patience: AbortSignal): Promise<void> {
    const { writer, redelivery } = this.#parts;
    const giveUp = () => writer.giveUp();
    patience.addEventListener("abort", giveUp, { once: true });
    if (patience.aborted) giveUp();
    this.#verdicts.departAll();
    await writer.flush();
    patience.removeEventListener("abort", giveUp);
    this.#end.abort();
    this.#timer.cancel();
    clearImmediate(this.#waking);
    writer.giveUp();
    await Promise.allSettled([this.#reader.close(), redelivery.settled(), this.#watching]);
    this.records.clear();
  }

  #changeWindow(consumer: Consumer, window: Window): void {
    const wasOpen = consumer.isOpen;
    consumer.askedWindow = window;
    this.#parts.budget.ask(consumer);
    if (consumer.isOpen !== wasOpen) this.#shareSoon();
  }

  #mayHand(consumer: Consumer): boolean {
    if (this.#parts.writer.isBehind) {
      this.#isHeldBack = true;
      return false;
    }
    const mayAny = !this.settings.isPaused && this.#parts.ledger.isHeld;
    return mayAny && consumer.failure === undefined && !isOutdone(consumer, this.#parts);
  }

  /** Nothing is handed out from here on: in EXCLUSIVE, a record before it is on its way, or is not read yet. */
  get #untilOffset(): number {
    const { sharing, claims, redelivery } = this.#parts;
    const expected = redelivery.expectedOffset;
    if (sharing !== "exclusive" || redelivery.isBacklogFull) return expected;
    return Math.min(expected, claims.lowestUnread);
  }

  /** Wakes all consumers once, however many come or go in this turn: it may be a thousand. */
  #wakeSoon(): void {
    if (this.#waking !== undefined) return;
    this.#waking = setImmediate(() => {
      this.#waking = undefined;
      if (this.#isToShare) this.#share();
      this.wakeAll();
    });
  }

  /** Spreads keys once for all consumers that come, go, pause and go on in this turn: over a thousand it takes 1 ms. */
  #shareSoon(): void {
    if (this.#parts.sharing !== "keyed") return;
    this.#isToShare = true;
    this.#wakeSoon();
  }

  /** True: keys are spread over others than before. */
  #share(): boolean {
    this.#isToShare = false;
    return this.#parts.ready.share(keySharers(this.consumers));
  }

  #onReady(): void {
    this.#isStirred = false;
    this.records.holdAhead();
    this.#schedule();
    this.consumers.wakeThoseWithRoom();
  }

  #schedule(): void {
    if (this.#end.signal.aborted || this.consumers.size === 0) return this.#timer.cancel();
    const nowMs = this.#parts.clock.monotonicMs();
    this.#timer.start(nowMs, this.settings.policy.ackDeadlineMs, redeliveryWaitMs(this.#parts, nowMs));
  }

  #sweep(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    this.#demand.tick(nowMs);
    for (const consumer of this.consumers) this.#verdicts.expire(consumer, nowMs);
    // A consumer may have stopped or begun to read, or to answer.
    if (this.#parts.sharing === "keyed" && this.#share()) this.#wakeSoon();
    redeliverInTurn(this.#parts, nowMs);
    this.#reader.read();
    // There may be room in the node's budget again, or its hold is certain again: nobody tells.
    if (this.#isStirred || this.#parts.ready.count > 0) this.#onReady();
    this.#schedule();
  }

  /** Reads on when the topic grows, and ends consumers when it is over. */
  async #watchTopic(): Promise<void> {
    const { topic } = this.#parts;
    const { signal } = this.#end;
    try {
      while (!signal.aborted) {
        const { version } = topic.tip;
        if (topic.isOver) return this.consumers.failAll(overError(topic));
        this.#reader.read();
        await topic.tip.changed(version, { signal });
        this.#parts.onGrown();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
