/**
 * A Consume call, as its group sees it: its window, the records that it has, and the messages for it. Only `changed` and
 * `untilTold` wait; the call asks for its next message when the transport took the last one.
 */

import { type ConsumerWaiting, type OffsetRange, RangeSet, type Window } from "../../../core/index.js";
import { Watch } from "../../../streams/index.js";
import type { Clock } from "../../../telemetry/index.js";
import type { Confirmed, ConsumeEvent, ConsumerFacts, DeliveredRange } from "./consume-messages.js";
import { HeldRuns } from "../records/held-runs.js";
import type { OutstandingBudget } from "../records/outstanding-budget.js";
import type { HeldRun } from "../records/record-run.js";

/** A transport is blocked when it has not taken a message for this long. */
const blockedMs = 500;
/** After this long its keys go to other consumers, except the keys of records that it works on. */
const stalledMs = 1000;
/** Events that wait for a consumer that does not read. Beyond that the oldest are left out. */
const eventsMax = 1000;

/** A verdict on records, which is confirmed to its consumer when it holds. */
export type Verdict = Exclude<keyof Confirmed, "stale">;

export interface ConsumerIdentity {
  /** Unique in the group. */
  readonly id: number;
  readonly name: string;
  readonly peer: string;
  readonly node: string;
}

export interface ConsumerParts {
  readonly clock: Clock;
  readonly budget: OutstandingBudget;
}

export class Consumer {
  /** Decides which keys it gets. */
  readonly id: number;
  readonly name: string;
  readonly held: HeldRuns;
  /** Why it gets nothing, as of the last check. */
  waiting: ConsumerWaiting = "nothing";
  askedWindow: Window;
  /** What the node grants of `askedWindow`. */
  window: Window;
  /** Set: how its call has to end. */
  failure: Error | undefined;
  /** Its node drains: it settles what it has, and is handed nothing more. */
  isDraining = false;
  /** The topic is closed, and all of its records are settled. */
  isAtEnd = false;
  readonly #identity: ConsumerIdentity;
  readonly #clock: Clock;
  readonly #startTimeMs: number;
  /** Milliseconds since 1970; 0: never. */
  #lastAcknowledgementMs = 0;
  readonly #woken = new Watch(0);
  readonly #told = new Watch(0);
  #events: ConsumeEvent[] = [];
  #confirmed: { readonly [Name in Verdict]?: RangeSet } = {};
  /** Stale deliveries, by attempt. */
  readonly #stale = new Map<number, RangeSet>();
  /** The records of the message that the transport has not taken yet. */
  #onTheWay: readonly OffsetRange[] = [];
  /** When that message was handed to the transport, by the monotonic clock; undefined: there is none. */
  #sentAtMs: number | undefined;
  /** Until then it counts as silent: it let a deadline pass, and has said nothing since. By the monotonic clock. */
  #silentUntilMs = Number.NEGATIVE_INFINITY;

  constructor(identity: ConsumerIdentity, window: Window, { clock, budget }: ConsumerParts) {
    this.#identity = identity;
    this.#clock = clock;
    this.#startTimeMs = wallMsOf(clock);
    this.id = identity.id;
    this.name = identity.name;
    this.askedWindow = window;
    this.window = window;
    this.held = new HeldRuns((records) => budget.count(records));
  }

  /** Whether it takes records at all: its window is not zero, and its node does not drain. */
  get isOpen(): boolean {
    return !this.isDraining && this.window.records > 0 && this.window.bytes > 0;
  }

  /** How many more records its window lets through, as far as their bytes fit. */
  get room(): number {
    if (this.window.bytes === 0 || this.isDraining || this.failure !== undefined) return 0;
    return Math.max(0, this.window.records - this.held.records);
  }

  /** How many bytes its window has left; Infinity: it has no record, and the first one may have any size. */
  get byteRoom(): number {
    if (this.window.bytes === 0) return 0;
    return this.held.records === 0 ? Number.POSITIVE_INFINITY : this.window.bytes - this.held.bytes;
  }

  /** Hands it a run, which the next message carries. */
  hand(run: HeldRun): void {
    this.held.add(run);
  }

  /** Names all that the next message carries. */
  carry(runs: readonly OffsetRange[]): void {
    this.#onTheWay = runs.map(({ firstOffset, nextOffset }) => ({ firstOffset, nextOffset }));
  }

  /** Whether the transport has a message that it has not taken. */
  get isSending(): boolean {
    return this.#sentAtMs !== undefined;
  }

  /** Whether its client seems not to read. */
  get isStalled(): boolean {
    return this.#sentAtMs !== undefined && this.#clock.monotonicMs() - this.#sentAtMs > stalledMs;
  }

  /** Whether it let a deadline pass and has said nothing since. */
  get isSilent(): boolean {
    return this.#clock.monotonicMs() < this.#silentUntilMs;
  }

  /** Whether it seems to read and to answer. */
  get isLively(): boolean {
    return !this.isSilent && !this.isStalled;
  }

  /** It let a deadline pass. */
  wasLate(ackDeadlineMs: number): void {
    this.#silentUntilMs = this.#clock.monotonicMs() + ackDeadlineMs;
  }

  /** It said something. */
  speaks(): void {
    this.#silentUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** Notes when it acknowledged last. */
  acknowledges(): void {
    this.#lastAcknowledgementMs = wallMsOf(this.#clock);
  }

  /** Its message was handed to the transport. */
  sending(): void {
    this.#sentAtMs = this.#clock.monotonicMs();
  }

  /** The transport took the message: the deadlines of its records begin. */
  delivered(ackDeadlineMs: number): void {
    const deadlineMs = this.#clock.monotonicMs() + ackDeadlineMs;
    for (const range of this.#onTheWay) this.held.delivered(range, deadlineMs);
    this.#onTheWay = [];
    this.#sentAtMs = undefined;
  }

  /** Grants it a window of `records`, and the bytes that it asked for. */
  grant(records: number, isAnswer: boolean): void {
    if (!isAnswer && records === this.window.records) return;
    this.window = { records, bytes: this.askedWindow.bytes };
    this.tell({ kind: "window-changed", window: this.window });
  }

  /** A verdict holds: the next message tells it. */
  confirm(verdict: Verdict, first: number, next: number): void {
    const ranges = this.#confirmed[verdict];
    if (ranges === undefined) {
      this.#confirmed = { ...this.#confirmed, [verdict]: new RangeSet([{ firstOffset: first, nextOffset: next }]) };
    } else ranges.add(first, next);
    this.wake();
  }

  /** It does not have these records (any more): the next message tells it. `attempt`: as of `DeliveredRange`. */
  refuse(attempt: number, first: number, next: number): void {
    let ranges = this.#stale.get(attempt);
    if (ranges === undefined) this.#stale.set(attempt, (ranges = new RangeSet()));
    ranges.add(first, next);
    this.wake();
  }

  takeConfirmed(): Confirmed | undefined {
    const confirmed = this.#confirmed;
    if (this.#stale.size === 0 && Object.keys(confirmed).length === 0) return undefined;
    this.#confirmed = {};
    const stale: DeliveredRange[] = [];
    for (const [attempt, ranges] of this.#stale) for (const range of ranges) stale.push({ range, attempt });
    this.#stale.clear();
    this.#told.set(0);
    const of = (verdict: Verdict): readonly OffsetRange[] => [...(confirmed[verdict] ?? [])];
    return {
      acknowledged: of("acknowledged"),
      rejected: of("rejected"),
      parked: of("parked"),
      extended: of("extended"),
      released: of("released"),
      stale,
    };
  }

  /** How many ranges and events wait for it. */
  get newsCount(): number {
    let count = this.#events.length;
    for (const ranges of Object.values(this.#confirmed)) count += ranges.size;
    for (const ranges of this.#stale.values()) count += ranges.size;
    return count;
  }

  /** Waits until a message took all confirmations. */
  async untilTold(signal: AbortSignal): Promise<void> {
    await this.#told.changed(this.#told.version, { signal });
  }

  tell(event: ConsumeEvent): void {
    // Only the last window counts.
    if (event.kind === "window-changed") this.#events = this.#events.filter(({ kind }) => kind !== event.kind);
    this.#events.push(event);
    if (this.#events.length > eventsMax) this.#events.shift();
    this.wake();
  }

  takeEvent(): ConsumeEvent | undefined {
    return this.#events.shift();
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.wake();
  }

  get version(): number {
    return this.#woken.version;
  }

  wake(): void {
    this.#woken.set(this.#woken.value + 1);
  }

  /** Waits until it is woken after `version`, for up to `timeoutMs`. */
  async changed(version: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    await this.#woken.changed(version, { timeoutMs, signal, timers: this.#clock });
  }

  facts(): ConsumerFacts {
    const { name, peer, node } = this.#identity;
    const isBlocked = this.#sentAtMs !== undefined && this.#clock.monotonicMs() - this.#sentAtMs > blockedMs;
    return {
      name,
      peer,
      node,
      window: this.window,
      outstandingRecords: this.held.records,
      outstandingBytes: this.held.bytes,
      startTimeMs: this.#startTimeMs,
      lastAcknowledgementMs: this.#lastAcknowledgementMs,
      waiting: isBlocked ? "transport-blocked" : this.waiting,
    };
  }
}

/** For people: nothing is decided by the wall clock. */
function wallMsOf(clock: Clock): number {
  return Math.floor(clock.wallMicros() / 1000);
}
