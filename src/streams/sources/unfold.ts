import { type CallContext, LazyCallContext } from "../call-context.js";
import { Stage } from "../stage.js";
import { END, type End, type Stream } from "../stream.js";
import { isPromiseLike } from "./from.js";

/** An item, and the state that makes the next one. */
export interface Unfolded<S, T> {
  readonly item: T;
  readonly state: S;
}

/** Makes an item and the next state from a state, or returns `undefined` for the end. */
export type Unfold<S, T> = (
  state: S,
  context: CallContext,
) => Unfolded<S, T> | undefined | PromiseLike<Unfolded<S, T> | undefined>;

/**
 * The items that `step` makes from a state, such as the cursor of the next page. Each call returns an item and the next
 * state, or `undefined` for the end. A promise is awaited, and `context.signal` aborts if the stream is closed meanwhile.
 * Each item is made when it is asked for; holds the state. An error of `step` ends the stream. O(1) an item.
 *
 * @example
 * const powers = unfold(1, (n) => (n > 100 ? undefined : { item: n, state: n * 3 }));
 * console.log(await collect(powers, { limit: 10 })); // [ 1, 3, 9, 27, 81 ]
 */
export function unfold<S, T>(seed: S, step: Unfold<S, T>): Stream<T> {
  return new Unfolding(seed, step);
}

class Unfolding<S, T> extends Stage<T> {
  readonly #step: Unfold<S, T>;
  readonly #context = new LazyCallContext();
  #state: S;

  constructor(seed: S, step: Unfold<S, T>) {
    super();
    this.#state = seed;
    this.#step = step;
  }

  protected override produce(): T | End | Promise<T | End> {
    const made = this.#step(this.#state, this.#context);
    return isPromiseLike(made) ? Promise.resolve(made).then(this.#goOn) : this.#goOn(made);
  }

  protected override dispose(): undefined {
    this.#context.abort();
  }

  readonly #goOn = (made: Unfolded<S, T> | undefined): T | End => {
    if (made === undefined) return END;
    this.#state = made.state;
    return made.item;
  };
}
