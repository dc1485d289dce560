import type { Watch } from "../channels/watch.js";
import { sleep } from "../waits/abort.js";
import { systemTimers, type Timers } from "../waits/timers.js";

export interface RepeatOptions {
  /** The wait after a step that names no wait of its own, and after one that failed. In milliseconds, at most 2³¹ - 1. */
  readonly everyMs: number;
  /** The wait before the first step. Default: 0. */
  readonly firstMs?: number;
  /** The wait after a step that failed, which `woken` does not end. Default: `everyMs`. */
  readonly retryMs?: number;
  /** Its change ends a wait, also a change that came while the step ran. */
  readonly woken?: Watch<unknown>;
  /** Gets what a step throws; it must not throw. What a step throws after the signal aborted is dropped. */
  readonly onError: (error: unknown) => void;
  /** What the waits are measured by. Default: the process's clock. */
  readonly timers?: Timers;
}

/**
 * Runs `step` again and again, one at a time, until the signal aborts; then it resolves as soon as the step under way has
 * settled. A step may resolve to the wait after it, in milliseconds; 0 is none. It never rejects.
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
