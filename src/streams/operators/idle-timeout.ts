import { inBothStyles } from "../both-styles.js";
import { TimeoutError } from "../errors.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import { type Produced, Stage } from "../stage.js";
import { PENDING, type Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import { WakeTimer } from "../waits/wake-timer.js";
import { systemTimers, type Timers } from "../waits/timers.js";
import type { Waker } from "../waits/waiter.js";

export interface IdleTimeoutOptions {
  /** The clock that measures the time. Default: the process's clock. */
  readonly timers?: Timers | undefined;
}

/**
 * All items, in order. If an item takes longer than `ms`, the stream fails with `TimeoutError`, and the source is closed.
 * The time runs from when the item is asked for and the source has none, so a slow consumer causes no timeout. Holds
 * nothing. One timer serves the stream, and is cleared at its end. An item that is there at once does not read the clock;
 * one that is waited for reads it once. O(1) an item.
 *
 * @example
 * const silent = channel<string>({ capacity: 10 });
 * silent.sender.trySend("hello");
 * const lines = idleTimeout(silent.receiver, 20);
 * try {
 *   await forEach(lines, (line) => console.log(line)); // hello
 * } catch (error) {
 *   console.log(error instanceof TimeoutError); // true
 * }
 */
export function idleTimeout<T>(ms: number, options?: IdleTimeoutOptions): Operator<T, T>;
export function idleTimeout<T>(source: Source<T>, ms: number, options?: IdleTimeoutOptions): Stream<T>;
export function idleTimeout(...args: readonly unknown[]): unknown {
  return inBothStyles(limitIdleness, args);
}

function limitIdleness<T>(
  source: Source<T>,
  ms: number,
  { timers = systemTimers }: IdleTimeoutOptions = {},
): Stream<T> {
  checkDelay(ms);
  return new IdleTimeout(from(source), ms, timers);
}

class IdleTimeout<T> extends Stage<T> {
  readonly #source: Stream<T>;
  readonly #ms: number;
  /**
   * Keeps running from one wait to the next. A wait that it wakes too early sets it again. Setting it for each item would
   * cost more.
   */
  readonly #timer: WakeTimer;
  readonly #timers: Timers;
  #waitsSince: number | undefined;

  constructor(source: Stream<T>, ms: number, timers: Timers) {
    super();
    this.#source = source;
    this.#ms = ms;
    this.#timers = timers;
    this.#timer = new WakeTimer(timers);
  }

  protected override produce(waker: Waker): Produced<T> {
    const item = this.#source.poll(waker);
    if (item === PENDING) this.#wait(waker);
    else this.#waitsSince = undefined;
    return item;
  }

  protected override dispose(): Promise<void> | undefined {
    this.#timer.close();
    return this.#source.close();
  }

  #wait(waker: Waker): void {
    if (this.#waitsSince !== undefined && this.#timer.isSet) {
      this.#timer.wakeInstead(waker);
      return;
    }
    const now = this.#timers.monotonicMs();
    this.#waitsSince ??= now;
    const leftMs = this.#waitsSince + this.#ms - now;
    if (leftMs <= 0) throw new TimeoutError("the next item", this.#ms);
    this.#timer.wakeIn(leftMs, waker);
  }
}
