import { inBothStyles } from "../both-styles.js";
import { type CallContext, LazyCallContext } from "../call-context.js";
import { closeAll } from "../close-all.js";
import type { Operator } from "../pipe.js";
import { from, isPromiseLike, type Source } from "../sources/from.js";
import { type Produced, Stage } from "../stage.js";
import { END, PENDING, type Pending, type Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";
import type { Waker } from "../waits/waiter.js";

type ToSource<T, U> = (item: T, context: CallContext) => Source<U> | PromiseLike<Source<U>>;

/**
 * `f` makes an inner source of each item. All items of the first inner source, then those of the second, and so on. One
 * inner source is open at a time; the next item is pulled when it has ended. Holds nothing. An error of `f` or of one of
 * the sources ends the stream and closes the others. Closing it closes the inner source first. O(1) an item.
 *
 * @example
 * const words = flatMap(["to be", "or not"], (line) => line.split(" "));
 * console.log(await collect(words, { limit: 10 })); // [ 'to', 'be', 'or', 'not' ]
 */
export function flatMap<T, U>(f: ToSource<T, U>): Operator<T, U>;
export function flatMap<T, U>(source: Source<T>, f: ToSource<T, U>): Stream<U>;
export function flatMap(...args: readonly unknown[]): unknown {
  return inBothStyles(flatten, args);
}

function flatten<T, U>(source: Source<T>, f: ToSource<T, U>): Stream<U> {
  return new FlatMapped(from(source), f);
}

class FlatMapped<T, U> extends Stage<U> {
  readonly #outer: Stream<T>;
  readonly #f: ToSource<T, U>;
  readonly #context = new LazyCallContext();
  #inner: Stream<U> | undefined;

  constructor(outer: Stream<T>, f: ToSource<T, U>) {
    super();
    this.#outer = outer;
    this.#f = f;
  }

  protected override produce(waker: Waker): Produced<U> {
    for (;;) {
      if (this.#inner !== undefined) {
        const item = this.#inner.poll(waker);
        if (item !== END) return item;
        this.#inner = undefined;
      }
      // A run of empty sources must not block the event loop.
      if (isTurnOver()) return yieldToEventLoop().then(again);
      const outer = this.#outer.poll(waker);
      if (outer === PENDING) return PENDING;
      if (outer === END) return END;
      const made = this.#f(outer, this.#context);
      if (isPromiseLike(made)) return this.#openLater(made);
      this.#inner = from(made);
    }
  }

  protected override dispose(): Promise<void> | undefined {
    this.#context.abort();
    return closeAll(this.#inner === undefined ? [this.#outer] : [this.#inner, this.#outer]);
  }

  async #openLater(making: PromiseLike<Source<U>>): Promise<Pending> {
    const inner = from(await making);
    // Closed meanwhile: the inner source is not needed, and an error of its closing is dropped.
    if (this.isOver) inner.close()?.catch(() => undefined);
    else this.#inner = inner;
    return PENDING;
  }
}

function again(): Pending {
  return PENDING;
}
