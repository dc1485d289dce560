import { from, isPromiseLike, type Source } from "../sources/from.js";
import { END } from "../stream.js";
import { AbortRace } from "../waits/abort-race.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";

/** What a visitor says to be given no more. */
export const STOP: unique symbol = Symbol("stop");

type Answer = typeof STOP | void;

/**
 * Pulls a source to its end, and hands each item to `visit`; a promise is awaited before the next pull. Closes the
 * source however it leaves: at STOP, when `visit` throws, and when the signal aborts, which it then throws the reason
 * of, at once, also while it waits. Gives the event loop its turns. This is the loop of every sink.
 */
export async function drive<T>(
  source: Source<T>,
  visit: (item: T) => Answer | PromiseLike<Answer>,
  signal?: AbortSignal,
): Promise<void> {
  const stream = from(source);
  const race = signal === undefined ? undefined : new AbortRace(signal);
  const waitFor = <V>(value: PromiseLike<V>) => (race === undefined ? value : race.wait(value));
  let failure: { readonly error: unknown } | undefined;
  try {
    for (;;) {
      if (isTurnOver()) await yieldToEventLoop();
      signal?.throwIfAborted();
      const pulled = stream.pull();
      const item = pulled instanceof Promise ? await waitFor(pulled) : pulled;
      if (item === END) return;
      const answer = visit(item);
      if ((isPromiseLike(answer) ? await waitFor(answer) : answer) === STOP) return;
    }
  } catch (error) {
    failure = { error };
    throw error;
  } finally {
    race?.close();
    await closeAfter(stream.close(), failure);
  }
}

/** A failure of the closing counts if nothing failed before it. */
async function closeAfter(
  closing: Promise<void> | undefined,
  failure: { readonly error: unknown } | undefined,
): Promise<void> {
  try {
    await closing;
  } catch (error) {
    if (failure === undefined) throw error;
  }
}
