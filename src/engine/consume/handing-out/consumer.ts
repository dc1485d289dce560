/**
 * One Consume call, as its group sees it: its window, what it has, and what it is to be told. Nothing here waits but
 * `changed`; the call asks for its next message when the transport took the last one.
 */

import { type ConsumerWaiting, type OffsetRange, RangeSet, type Window } from "../../../core/index.js";
import { Watch } from "../../../streams/index.js";
import type { Clock } from "../../../telemetry/index.js";
import type { Confirmed, ConsumeEvent, ConsumerFacts, DeliveredRange } from "./consume-messages.js";
import { HeldRuns } from "../records/held-runs.js";
import type { OutstandingBudget } from "../records/outstanding-budget.js";
import type { HeldRun } from "../records/record-run.js";

/** A transport that has not taken a message for so long is blocked. */
const blockedMs = 500;
/** And after this time its keys go to others, as far as nobody works on them. */
const stalledMs = 1000;
/** Events that wait for a consumer that does not read; the oldest are left out beyond that. */
const eventsMax = 1000;

/** What a consumer can say of what it was handed, and is told when it holds. */
export type Verdict = Exclude<keyof Confirmed, "stale">;

export interface ConsumerIdentity {
  /** Differs from those of all other consumers of the group. */
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
  /** Spreads keys. */
  readonly id: number;
  readonly name: string;
  readonly held: HeldRuns;
  /** Why nothing comes, as it was looked at last. */
  waiting: ConsumerWaiting = "nothing";
  /** What it asked for, and what of that the node grants. */
  askedWindow: Window;
  window: Window;
  /** Set: how its call has to end. */
  failure: Error | undefined;
  /** Its node drains: it settles what it has, and is handed nothing more. */
  isDraining = false;
  /** The topic is closed and everything is settled. */
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
  /** By attempt. */
  readonly #stale = new Map<number, RangeSet>();
  #onTheWay: readonly OffsetRange[] = [];
  /** When the message under way was handed to the transport, by the monotonic clock; undefined: none is. */
  #sentAtMs: number | undefined;
  /** It let a deadline pass and has said nothing since; forgotten then, by the monotonic clock. */
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

  /** Whether its window lets anything through at all. */
  get isOpen(): boolean {
    return !this.isDraining && this.window.records > 0 && this.window.bytes > 0;
  }

  /** How many more records its window lets through, if their bytes do. */
  get room(): number {
    if (this.window.bytes === 0 || this.isDraining || this.failure !== undefined) return 0;
    return Math.max(0, this.window.records - this.held.records);
  }

  /** How many bytes its window has left; a single record is let through whatever its size. */
  get byteRoom(): number {
    if (this.window.bytes === 0) return 0;
    return this.held.records === 0 ? Number.POSITIVE_INFINITY : this.window.bytes - this.held.bytes;
  }

  /** It is handed a run, which the next message carries. */
  hand(run: HeldRun): void {
    this.held.add(run);
  }

  /** What the next message carries. */
  carry(runs: readonly OffsetRange[]): void {
    this.#onTheWay = runs.map(({ firstOffset, nextOffset }) => ({ firstOffset, nextOffset }));
  }

  /** Whether a message is with the transport. */
  get isSending(): boolean {
    return this.#sentAtMs !== undefined;
  }

  /** Whether the other side does not read, as far as can be told. */
  get isStalled(): boolean {
    return this.#sentAtMs !== undefined && this.#clock.monotonicMs() - this.#sentAtMs > stalledMs;
  }

  /** Whether it lets deadlines pass without a word. */
  get isSilent(): boolean {
    return this.#clock.monotonicMs() < this.#silentUntilMs;
  }

  /** A deadline of its records has passed. */
  wasLate(ackDeadlineMs: number): void {
    this.#silentUntilMs = this.#clock.monotonicMs() + ackDeadlineMs;
  }

  /** It says something. */
  speaks(): void {
    this.#silentUntilMs = Number.NEGATIVE_INFINITY;
  }

  acknowledges(): void {
    this.#lastAcknowledgementMs = wallMsOf(this.#clock);
  }

  /** A message goes to the transport. */
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

  /** What it gets of the window that it asked for. */
  grant(records: number, isAnswer: boolean): void {
    if (!isAnswer && records === this.window.records) return;
    this.window = { records, bytes: this.askedWindow.bytes };
    this.tell({ kind: "window-changed", window: this.window });
  }

  /** Something is settled; told with the next message. */
  confirm(verdict: Verdict, first: number, next: number): void {
    const ranges = this.#confirmed[verdict];
    if (ranges === undefined) {
      this.#confirmed = { ...this.#confirmed, [verdict]: new RangeSet([{ firstOffset: first, nextOffset: next }]) };
    } else ranges.add(first, next);
    this.wake();
  }

  /** It does not have these, or not any more; told with the next message. `attempt`: as DeliveredRange has it. */
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

  /** How many ranges it is to be told. */
  get newsCount(): number {
    let count = this.#events.length;
    for (const ranges of Object.values(this.#confirmed)) count += ranges.size;
    for (const ranges of this.#stale.values()) count += ranges.size;
    return count;
  }

  /** Waits until it has been told what there was to tell. */
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

  /** Waits until it was woken since `version`, but no longer than `timeoutMs`. */
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

/** A time that is told, and nothing is decided by. */
function wallMsOf(clock: Clock): number {
  return Math.floor(clock.wallMicros() / 1000);
}
