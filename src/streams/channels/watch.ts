import { END, PENDING, type Polled, Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import { systemTimers, type Timers } from "../waits/timers.js";
import type { Waker } from "../waits/waiter.js";

/** Why a wait for a change ended. */
export type WatchOutcome = "changed" | "timed-out" | "closed";

export interface ChangedOptions {
  readonly signal?: AbortSignal;
  /** In milliseconds, at most 2³¹ - 1. Unset: as long as it takes, without a timer. */
  readonly timeoutMs?: number;
  /** What `timeoutMs` is measured by. Default: the process's clock. */
  readonly timers?: Timers;
}

type Settle = (outcome: WatchOutcome) => void;

/**
 * The latest value of something, for any number of receivers. Only the newest value is kept: whoever looks late sees
 * that one, and never loses the last. Setting, waiting and leaving are O(1); a change wakes all who wait, later, so that
 * nothing of theirs runs inside `set`.
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

  /** How often the value was set. 0 is the initial one. */
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

  /** Sets the value, equal or not, and wakes all who wait. Throws when the watch is closed. */
  set(value: T): void {
    if (this.#isClosed) throw new Error("Cannot set a value: the watch is closed");
    this.#value = value;
    this.#version += 1;
    this.#wake("changed");
  }

  /** No value comes any more. The last one stays readable, and receivers that have not seen it still do. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wake("closed");
  }

  /**
   * Waits until the version is above `sinceVersion`: "changed", at once if it is already, also when closed. "closed"
   * when no change can come; "timed-out" after `timeoutMs`. Rejects with the signal's reason when it aborts. Listener
   * and timer are gone once it settles.
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
   * The current value, then the newest whenever there is one that was not given yet: values set in between are left
   * out. Ends after the last value once the watch is closed. Each call gives a receiver of its own.
   */
  receiver(): Stream<T> {
    return new WatchReceiver(this, this.#waiting);
  }

  /** As `receiver`. */
  [Symbol.asyncIterator](): Stream<T> {
    return this.receiver();
  }

  #wake(outcome: WatchOutcome): void {
    // Each leaves the set as it settles; none can join meanwhile, since nothing of theirs runs here.
    for (const settle of this.#waiting) settle(outcome);
  }
}

class WatchReceiver<T> extends Stream<T> {
  readonly #watch: Watch<T>;
  readonly #waiting: Set<Settle>;
  /** The version that was given last. */
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
