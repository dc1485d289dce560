import { systemTimers, type Timers } from "./timers.js";

/** The longest delay that a Node timer accepts; a longer one would fire after 1 ms. */
const timerMsMax = 2 ** 31 - 1;

/**
 * Waits for `promise` until `signal` aborts. On an abort it rejects with the signal's reason at once, even if the promise
 * has settled already. The promise itself continues, and its value or rejection is dropped. The listener on the signal is
 * removed when either of them settles.
 *
 * @example
 * const never = new Promise(() => undefined);
 * const failure = await abortable(never, AbortSignal.timeout(1)).catch((error: Error) => error.name);
 * console.log(failure); // TimeoutError
 */
export function abortable<T>(promise: PromiseLike<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return Promise.resolve(promise);
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    promise.then(
      (value) => {
        signal.removeEventListener("abort", onAbort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      },
    );
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Resolves after `ms` milliseconds, at most 2³¹ - 1, by the process's clock or by `timers`. Rejects with the signal's
 * reason when it aborts first. Timer and listener are removed once it settles.
 *
 * @example
 * const stop = new AbortController();
 * const slept = sleep(60_000, stop.signal);
 * stop.abort(new Error("enough"));
 * console.log(await slept.catch((error: Error) => error.message)); // enough
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void>;
export function sleep(ms: number, timers: Timers, signal?: AbortSignal): Promise<void>;
export function sleep(ms: number, first?: AbortSignal | Timers, second?: AbortSignal): Promise<void> {
  if (first !== undefined && "startTimer" in first) return wait(ms, first, second);
  return wait(ms, systemTimers, first);
}

function wait(ms: number, timers: Timers, signal: AbortSignal | undefined): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    checkDelay(ms);
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = timers.startTimer(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Refuses a delay that a timer does not accept. */
export function checkDelay(ms: number): void {
  if (!(ms >= 0 && ms <= timerMsMax)) throw new RangeError(`Cannot wait ${ms} ms: a timer takes 0 to ${timerMsMax} ms`);
}
