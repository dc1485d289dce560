import type { Watch } from "../channels/watch.js";
import { sleep } from "../waits/abort.js";
import { systemTimers, type Timers } from "../waits/timers.js";

export interface RepeatOptions {
  /** The wait after a step that resolves to no wait of its own, in milliseconds, at most 2³¹ - 1. */
  readonly everyMs: number;
  /** The wait before the first step, in milliseconds. Default: 0. */
  readonly firstMs?: number;
  /** The wait after a failed step, in milliseconds. `woken` does not end it. Default: `everyMs`. */
  readonly retryMs?: number;
  /** A change of it ends the wait, even a change during the step. */
  readonly woken?: Watch<unknown>;
  /** Gets the error of a step, unless the signal has aborted. It must not throw. */
  readonly onError: (error: unknown) => void;
  /** The clock of the waits. Default: the process's clock. */
  readonly timers?: Timers;
}

/**
 * Repeats `step`, one run at a time, until the signal aborts. It then resolves as soon as the running step has settled. A
 * step may resolve to the wait after it, in milliseconds; 0: no wait. `repeat` never rejects.
 *
 * @example
 * const stop = new AbortController();
 * let rounds = 0;
 * await repeat(
 *   async () => {
 *     rounds += 1;
 *     if (rounds === 3) stop.abort();
 *   },
 *   { everyMs: 1, onError: console.error },
 *   stop.signal,
 * );
 * console.log(rounds); // 3
 */
export async function repeat(
  step: (signal: AbortSignal) => Promise<number | void>,
  options: RepeatOptions,
  signal: AbortSignal,
): Promise<void> {
  const { everyMs, firstMs = 0, retryMs = everyMs, woken, onError, timers = systemTimers } = options;

  /** Resolves early when the signal aborts, or when `woken` is no longer at `version`. */
  async function wait(ms: number, version?: number): Promise<void> {
    if (ms <= 0 || signal.aborted) return;
    const isOver =
      woken === undefined || version === undefined
        ? sleep(ms, timers, signal)
        : woken.changed(version, { signal, timeoutMs: ms, timers });
    await isOver.catch(() => undefined);
  }

  if (firstMs > 0) await wait(firstMs, woken?.version);
  while (!signal.aborted) {
    const version = woken?.version;
    try {
      await wait((await step(signal)) ?? everyMs, version);
    } catch (error) {
      if (signal.aborted) return;
      onError(error);
      await wait(retryMs);
    }
  }
}
