import { withSignal } from "../operators/with-signal.js";
import type { Stream } from "../stream.js";
import { type Open, Reopening, type ReopeningEvent, type ReopeningOptions } from "./reopening.js";

export interface ReconnectingOptions<T> extends ReopeningOptions<T> {
  /** What the end of a source means: that it was lost as well, or the end. Default "reopen". */
  readonly whenEnded?: "reopen" | "end" | undefined;
  /** Told before each wait. What it throws ends the stream. */
  readonly onReconnecting?: ((event: ReopeningEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * One stream of many connections: what `open` opens and, whenever that fails or ends, what it opens next, for as long as
 * it takes. `open` is given the last item, so that it can resume after it, and how often the source was lost since.
 *
 * Before each `open` but the first comes a wait with full jitter, from 100 ms doubling to 30 s unless told otherwise,
 * and no shorter than `delayOf` says; an item makes the next wait short again, if `isProgress` holds for it. An error
 * that is not retryable, or that comes when `giveUpAfterMs` are over, ends the stream; so does the signal's abort, at
 * once, with its reason.
 *
 * Holds one item, the last one. Closing it ends the wait, or closes the source that is open, and aborts `signal` of
 * `open`. O(1) an item. See `retry` for a number of tries, and a source that may end.
 *
 * @example
 * const log = ["a", "b", "c"];
 * // A server that breaks off after each item.
 * const open = ({ last }: OpenContext<string>) => take(log.slice(log.indexOf(last ?? "") + 1), 1);
 * const letters = reconnecting(open, { minMs: 1, maxMs: 1 });
 * console.log(await collect(take(letters, 3), { limit: 3 })); // [ 'a', 'b', 'c' ]
 */
export function reconnecting<T>(open: Open<T>, options: ReconnectingOptions<T> = {}): Stream<T> {
  const { whenEnded = "reopen", onReconnecting, signal, ...rest } = options;
  const stream = new Reopening<T>(open, { ...rest, maxRetries: Infinity, whenEnded, onReopening: onReconnecting });
  return signal === undefined ? stream : withSignal(stream, signal);
}
