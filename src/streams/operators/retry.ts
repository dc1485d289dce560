import { type Open, Reopening, type ReopeningEvent, type ReopeningOptions } from "../sources/reopening.js";
import type { Stream } from "../stream.js";
import { checkCount } from "../check-count.js";
import { withSignal } from "./with-signal.js";

export interface RetryOptions<T> extends ReopeningOptions<T> {
  /** How often in a row, without progress between, the source is opened again. */
  readonly maxRetries: number;
  /** Called before each wait. Its error ends the stream. */
  readonly onRetry?: ((event: ReopeningEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The items of the source that `open` opens. When it fails, `open` is called again, up to `maxRetries` times in a row; then
 * the stream fails with the last error. `open` receives the last item, so that it can resume after it, and how often the
 * source failed since. If it begins from the start, the first items come again.
 *
 * Before each `open` but the first there is a wait with full jitter. Its bound doubles from 100 ms to 30 s by default, and
 * it is never shorter than the result of `delayOf`. An item for which `isProgress` holds resets the count and the bound. An
 * error that is not retryable, or that comes after `giveUpAfterMs`, ends the stream. An abort of the signal ends it at
 * once, with the signal's reason.
 *
 * Holds the last item. Closing it ends the wait, or closes the open source, and aborts `signal` of `open`. Throws a
 * `RangeError` if `maxRetries` is not a whole number from 0. O(1) an item.
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
