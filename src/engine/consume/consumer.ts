/**
 * One Consume call, as its group sees it: its window, what it has, and what it is to be told. Nothing here waits but
 * `changed`; the call asks for its next message when the transport took the last one.
 */

import { type OffsetRange, RangeSet, type Window } from "../../core/index.js";
import { Watch } from "../../streams/index.js";
import type { Confirmed, ConsumeEvent, ConsumerFacts, ConsumerWaiting } from "../subscription-engine.js";
import type { RecordState } from "./held-record.js";

/** A transport that has not taken a message for so long is blocked. */
const blockedMs = 500;

/** A record that a consumer has. */
export interface Outstanding {
  readonly record: RecordState;
  readonly bytes: number;
  /** By the monotonic clock; Infinity until the transport took it: only then the clock runs. */
  deadlineMs: number;
}

/** What can be said of records to whom they were handed. */
export type Verdict = keyof Confirmed;

export interface ConsumerIdentity {
  /** Differs from those of all other consumers of the group. */
  readonly id: number;
  readonly name: string;
  readonly peer: string;
  readonly node: string;
}

export class Consumer {
  /** Spreads keys. */
  readonly id: number;
  readonly name: string;
  readonly outstanding = new Map<number, Outstanding>();
  outstandingBytes = 0;
  /** Why nothing comes, as it was looked at last. */
  waiting: ConsumerWaiting = "nothing";
  window: Window;
  /** Set: how its call has to end. */
  failure: Error | undefined;
  /** The topic is closed and everything is settled. */
  isAtEnd = false;
  /** Milliseconds since 1970; 0: never. */
  lastAcknowledgementMs = 0;
  readonly #identity: ConsumerIdentity;
  readonly #startTimeMs = Date.now();
  readonly #woken = new Watch(0);
  readonly #told = new Watch(0);
  readonly #events: ConsumeEvent[] = [];
  #confirmed: { readonly [Name in Verdict]?: RangeSet } = {};
  #onTheWay: readonly Outstanding[] = [];
  /** When the message under way was handed to the transport; undefined: none is. */
  #sentAtMs: number | undefined;

  constructor(identity: ConsumerIdentity, window: Window) {
    this.#identity = identity;
    this.id = identity.id;
    this.name = identity.name;
    this.window = window;
  }

  /** Whether its window lets anything through at all. */
  get isOpen(): boolean {
    return this.window.records > 0 && this.window.bytes > 0;
  }

  /** How many more records its window lets through, if their bytes do. */
  get room(): number {
    if (this.window.bytes === 0 || this.failure !== undefined) return 0;
    return Math.max(0, this.window.records - this.outstanding.size);
  }

  /** How many bytes its window has left; a single record is let through whatever its size. */
  get byteRoom(): number {
    if (this.window.bytes === 0) return 0;
    return this.outstanding.size === 0 ? Number.POSITIVE_INFINITY : this.window.bytes - this.outstandingBytes;
  }

  hand(outstanding: Outstanding): void {
    this.outstanding.set(outstanding.record.offset, outstanding);
    this.outstandingBytes += outstanding.bytes;
    outstanding.record.claim.outstanding += 1;
  }

  /** Takes a record off it. Undefined: it does not have it. */
  takeBack(offset: number): Outstanding | undefined {
    const outstanding = this.outstanding.get(offset);
    if (outstanding === undefined) return undefined;
    this.outstanding.delete(offset);
    this.outstandingBytes -= outstanding.bytes;
    outstanding.record.claim.outstanding -= 1;
    return outstanding;
  }

  /** What the next message carries. */
  carry(records: readonly Outstanding[]): void {
    this.#onTheWay = records;
  }

  /** Whether a message is with the transport. */
  get isSending(): boolean {
    return this.#sentAtMs !== undefined;
  }

  /** A message goes to the transport. */
  sending(): void {
    this.#sentAtMs = Date.now();
  }

  /** The transport took the message: the deadlines of its records begin. */
  delivered(nowMs: number, ackDeadlineMs: number): void {
    for (const outstanding of this.#onTheWay) {
      // One that asked for more time before its write was confirmed keeps that.
      if (outstanding.deadlineMs === Number.POSITIVE_INFINITY) outstanding.deadlineMs = nowMs + ackDeadlineMs;
    }
    this.#onTheWay = [];
    this.#sentAtMs = undefined;
  }

  /** Something is settled; told with the next message. */
  confirm(verdict: Verdict, first: number, next: number): void {
    const ranges = this.#confirmed[verdict];
    if (ranges === undefined) {
      this.#confirmed = { ...this.#confirmed, [verdict]: new RangeSet([{ firstOffset: first, nextOffset: next }]) };
    } else ranges.add(first, next);
    this.wake();
  }

  takeConfirmed(): Confirmed | undefined {
    const confirmed = this.#confirmed;
    if (Object.keys(confirmed).length === 0) return undefined;
    this.#confirmed = {};
    this.#told.set(0);
    const of = (verdict: Verdict): readonly OffsetRange[] => [...(confirmed[verdict] ?? [])];
    return {
      acknowledged: of("acknowledged"),
      rejected: of("rejected"),
      parked: of("parked"),
      extended: of("extended"),
      released: of("released"),
      stale: of("stale"),
    };
  }

  /** How many ranges it is to be told. */
  get newsCount(): number {
    return Object.values(this.#confirmed).reduce((count, ranges) => count + ranges.size, this.#events.length);
  }

  /** Waits until it has been told what there was to tell. */
  async untilTold(signal: AbortSignal): Promise<void> {
    await this.#told.changed(this.#told.version, { signal });
  }

  tell(event: ConsumeEvent): void {
    // Of windows only the last one holds.
    if (event.kind === "window-changed" && this.#events.at(-1)?.kind === event.kind) this.#events.pop();
    this.#events.push(event);
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
    await this.#woken.changed(version, { timeoutMs, signal });
  }

  facts(): ConsumerFacts {
    const { name, peer, node } = this.#identity;
    return {
      name,
      peer,
      node,
      window: this.window,
      outstandingRecords: this.outstanding.size,
      outstandingBytes: this.outstandingBytes,
      startTimeMs: this.#startTimeMs,
      lastAcknowledgementMs: this.lastAcknowledgementMs,
      waiting: Date.now() - (this.#sentAtMs ?? Infinity) > blockedMs ? "transport-blocked" : this.waiting,
    };
  }
}
