/**
 * Races the waits of one loop, one after the other, against the same signal. One listener serves the whole loop: a listener
 * for each message would cost more than the message.
 *
 * @example
 * const stop = new AbortController();
 * const race = new AbortRace(stop.signal);
 * console.log(await race.wait(Promise.resolve("in time"))); // in time
 * stop.abort(new Error("too late"));
 * console.log(await race.wait(new Promise(() => undefined)).catch((error: Error) => error.message)); // too late
 * race.close();
 */
export class AbortRace {
  readonly #signal: AbortSignal;
  #reject: ((reason: unknown) => void) | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort);
  }

  get isAborted(): boolean {
    return this.#signal.aborted;
  }

  /** Waits for `promise`. Rejects with the signal's reason at once when it aborts; the promise's outcome is then dropped. */
  wait<T>(promise: PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      promise.then(
        (value) => {
          this.#reject = undefined;
          resolve(value);
        },
        (error: unknown) => {
          this.#reject = undefined;
          reject(error);
        },
      );
      if (this.#signal.aborted) reject(this.#signal.reason);
    });
  }

  /** Removes the listener. */
  close(): void {
    this.#reject = undefined;
    this.#signal.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => {
    this.#reject?.(this.#signal.reason);
    this.#reject = undefined;
  };
}
