import { type Open, Reopening, type ReopeningEvent, type ReopeningOptions } from "../sources/reopening.js";
import type { Stream } from "../stream.js";
import { checkCount } from "../check-count.js";
import { withSignal } from "./with-signal.js";

export interface RetryOptions<T> extends ReopeningOptions<T> {
  /** How often in a row, without an item between, the source is opened anew. */
  readonly maxRetries: number;
  /** Told before each wait. What it throws ends the stream. */
  readonly onRetry?: ((event: ReopeningEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The items of what `open` opens; when that fails it is opened anew, up to `maxRetries` times in a row, and the stream
 * fails with the last error after that. `open` is given the last item, so that it can go on after it, and how often the
 * source failed since: one that begins from the start gives its first items again.
 *
 * Before each `open` but the first comes a wait with full jitter, from 100 ms doubling to 30 s unless told otherwise,
 * and no shorter than `delayOf` says; an item begins the count and the waits anew, if `isProgress` holds for it. An
 * error that is not retryable, or that comes when `giveUpAfterMs` are over, ends the stream; so does the signal's abort,
 * at once, with its reason.
 *
 * Holds one item, the last one. Closing it ends the wait, or closes the source that is open, and aborts `signal` of
 * `open`. Throws a `RangeError` for a number of retries that is none. O(1) an item.
 *
 * @example
 * const open = ({ attempt }: OpenContext<string>) => {
 *   if (attempt < 2) throw new Error("refused");
 *   return ["hello"];
 * };
 * console.log(await collect(retry(open, { maxRetries: 3, minMs: 1 }), { limit: 10 })); // [ 'hello' ]
 */
export function retry<T>(open: Open<T>, options: RetryOptions<T>): Stream<T> {
  const { maxRetries, onRetry, signal, ...rest } = options;
  checkCount("retry", maxRetries, 0);
  const stream = new Reopening<T>(open, { ...rest, maxRetries, whenEnded: "end", onReopening: onRetry });
  return signal === undefined ? stream : withSignal(stream, signal);
}
