import { withSignal } from "../operators/with-signal.js";
import type { Stream } from "../stream.js";
import { type Open, Reopening, type ReopeningEvent, type ReopeningOptions } from "./reopening.js";

export interface ReconnectingOptions<T> extends ReopeningOptions<T> {
  /** What the end of a source means: it was lost ("reopen"), or the stream ends. Default "reopen". */
  readonly whenEnded?: "reopen" | "end" | undefined;
  /** Called before each wait. Its error ends the stream. */
  readonly onReconnecting?: ((event: ReopeningEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * One stream over many connections: the items of the source that `open` opens. Whenever that fails or ends, `open` is
 * called again, without a limit. It receives the last item, so that it can resume after it, and how often the source was
 * lost since.
 *
 * Before each `open` but the first there is a wait with full jitter. Its bound doubles from 100 ms to 30 s by default, and
 * it is never shorter than the result of `delayOf`. An item for which `isProgress` holds makes the next wait short again.
 * An error that is not retryable, or that comes after `giveUpAfterMs`, ends the stream. An abort of the signal ends it at
 * once, with the signal's reason.
 *
 * Holds the last item. Closing it ends the wait, or closes the open source, and aborts `signal` of `open`. O(1) an item.
 * For a limited number of retries and a source that may end, see `retry`.
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
