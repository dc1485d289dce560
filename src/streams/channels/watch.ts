import { END, PENDING, type Polled, Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import { systemTimers, type Timers } from "../waits/timers.js";
import type { Waker } from "../waits/waiter.js";

/** Why a wait for a change ended. */
export type WatchOutcome = "changed" | "timed-out" | "closed";

export interface ChangedOptions {
  readonly signal?: AbortSignal;
  /** In milliseconds, at most 2³¹ - 1. Unset: no limit, and no timer. */
  readonly timeoutMs?: number;
  /** The clock that measures `timeoutMs`. Default: the process's clock. */
  readonly timers?: Timers;
}

type Settle = (outcome: WatchOutcome) => void;

/**
 * The latest value of something, for any number of receivers. Only the newest value is kept: a slow receiver misses values
 * between, but never the last one. Setting, waiting and leaving are O(1). A change wakes all waiting receivers, but later:
 * none of their code runs inside `set`.
 *
 * @example
 * const price = new Watch(100);
 * const seen = collect(price, { limit: 10 });
 * await yieldToEventLoop();
 * for (const next of [101, 102, 103]) price.set(next);
 * price.close();
 * console.log(await seen); // [ 100, 103 ]
 */
export class Watch<T> {
  #value: T;
  #version = 0;
  #isClosed = false;
  readonly #waiting = new Set<Settle>();

  constructor(initial: T) {
    this.#value = initial;
  }

  get value(): T {
    return this.#value;
  }

  /** How often the value was set. The initial value has version 0. */
  get version(): number {
    return this.#version;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How many wait for a change. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Sets the value, equal or not, and wakes all who wait for a change. Throws when the watch is closed. */
  set(value: T): void {
    if (this.#isClosed) throw new Error("Cannot set a value: the watch is closed");
    this.#value = value;
    this.#version += 1;
    this.#wake("changed");
  }

  /** Ends the watch. The last value stays readable, and receivers that have not seen it still get it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wake("closed");
  }

  /**
   * Waits until the version is above `sinceVersion`, and resolves to "changed"; at once if it is already, even when closed.
   * Resolves to "closed" when no change can come, and to "timed-out" after `timeoutMs`. Rejects with the signal's reason
   * when it aborts. Listener and timer are removed once it settles.
   */
  changed(sinceVersion: number, options: ChangedOptions = {}): Promise<WatchOutcome> {
    const { signal, timeoutMs, timers = systemTimers } = options;
    return new Promise<WatchOutcome>((resolve, reject) => {
      if (timeoutMs !== undefined) checkDelay(timeoutMs);
      if (signal?.aborted) return reject(signal.reason);
      if (this.#version > sinceVersion) return resolve("changed");
      if (this.#isClosed) return resolve("closed");

      const leave = () => {
        this.#waiting.delete(settle);
        cancelTimer?.();
        signal?.removeEventListener("abort", onAbort);
      };
      const settle: Settle = (outcome) => {
        leave();
        resolve(outcome);
      };
      const onAbort = () => {
        leave();
        reject(signal?.reason);
      };
      const cancelTimer = timeoutMs === undefined ? undefined : timers.startTimer(timeoutMs, () => settle("timed-out"));
      this.#waiting.add(settle);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /**
   * A new receiver: the current value, then the newest one after each change. It skips values that were replaced before it
   * asked. Ends after the last value once the watch is closed.
   */
  receiver(): Stream<T> {
    return new WatchReceiver(this, this.#waiting);
  }

  [Symbol.asyncIterator](): Stream<T> {
    return this.receiver();
  }

  #wake(outcome: WatchOutcome): void {
    // Each leaves the set as it settles. None can join meanwhile, since none of their code runs here.
    for (const settle of this.#waiting) settle(outcome);
  }
}

class WatchReceiver<T> extends Stream<T> {
  readonly #watch: Watch<T>;
  readonly #waiting: Set<Settle>;
  /** The version of the last value that it returned. */
  #seen = -1;
  #waker: Waker | undefined;
  #isClosed = false;

  constructor(watch: Watch<T>, waiting: Set<Settle>) {
    super();
    this.#watch = watch;
    this.#waiting = waiting;
  }

  override poll(waker: Waker): Polled<T> {
    if (this.#isClosed) return END;
    if (this.#watch.version > this.#seen) {
      this.#seen = this.#watch.version;
      return this.#watch.value;
    }
    if (this.#watch.isClosed) return END;
    this.#waker = waker;
    this.#waiting.add(this.#wake);
    return PENDING;
  }

  override close(): undefined {
    this.#isClosed = true;
    this.#wake();
  }

  readonly #wake = (): void => {
    this.#waiting.delete(this.#wake);
    const waker = this.#waker;
    this.#waker = undefined;
    waker?.wake();
  };
}
