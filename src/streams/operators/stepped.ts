import { from, isPromiseLike, type Source } from "../sources/from.js";
import { END, type End, type Pulled, Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";
import { LazyCallContext } from "../call-context.js";

/** What a step gives for an item that goes no further. */
export const SKIP: unique symbol = Symbol("skip");

export type Stepped<U> = U | typeof SKIP | End;

/**
 * What becomes of one item: another item, nothing, or the end of the stream, which closes the source. A promise is
 * awaited before the next item is pulled.
 */
export type Step<T, U> = (item: T, context: LazyCallContext) => Stepped<U> | PromiseLike<Stepped<U>>;

/**
 * The operator of which map, filter, take and their like are made: at most one item out for each one in, in order,
 * nothing held. Where neither the source nor the step waits, no promise is made.
 */
export function stepThrough<T, U>(source: Source<T>, step: Step<T, U>): Stream<U> {
  return new SteppedStream(from(source), step);
}

class SteppedStream<T, U> extends Stream<U> {
  readonly #source: Stream<T>;
  readonly #step: Step<T, U>;
  readonly #context = new LazyCallContext();
  #isOver = false;
  #closing: Promise<void> | undefined;
  /** Ends the pull that waits for a step. */
  #unpark: ((end: End) => void) | undefined;

  constructor(source: Stream<T>, step: Step<T, U>) {
    super();
    this.#source = source;
    this.#step = step;
  }

  override pull(): Pulled<U> {
    while (!this.#isOver) {
      const item = this.#source.pull();
      if (item instanceof Promise) return item.then(this.#takeLater);
      const stepped = this.#take(item);
      if (stepped instanceof Promise) return stepped.then(this.#settle);
      if (stepped !== SKIP) return stepped;
      if (isTurnOver()) return this.#pullOn();
    }
    return this.#closing === undefined ? END : this.#closing.then(() => END);
  }

  override close(): Promise<void> | undefined {
    if (this.#isOver) return this.#closing;
    this.#isOver = true;
    this.#context.abort();
    this.#unpark?.(END);
    this.#unpark = undefined;
    this.#closing = this.#source.close();
    return this.#closing;
  }

  readonly #takeLater = (item: T | End): Pulled<U> => {
    const stepped = this.#take(item);
    return stepped instanceof Promise ? stepped.then(this.#settle) : this.#settle(stepped);
  };

  readonly #settle = (stepped: Stepped<U>): Pulled<U> => (stepped === SKIP ? this.#pullOn() : stepped);

  /** Pulls until an item goes on. A loop, since promises of promises would be kept for as long as items are skipped. */
  async #pullOn(): Promise<U | End> {
    while (!this.#isOver) {
      if (isTurnOver()) await yieldToEventLoop();
      const item = this.#source.pull();
      const stepped = this.#take(item instanceof Promise ? await item : item);
      const settled = stepped instanceof Promise ? await stepped : stepped;
      if (settled !== SKIP) return settled;
    }
    await this.#closing;
    return END;
  }

  #take(item: T | End): Stepped<U> | Promise<Stepped<U>> {
    if (item === END || this.#isOver) {
      this.#isOver = true;
      return END;
    }
    try {
      const stepped = this.#step(item, this.#context);
      if (isPromiseLike(stepped)) return this.#park(stepped);
      return stepped === END ? this.#end() : stepped;
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Waits for a step, but no longer than until the stream is closed. */
  #park(step: PromiseLike<Stepped<U>>): Promise<Stepped<U>> {
    return new Promise((resolve) => {
      this.#unpark = resolve;
      step.then(
        (stepped) => {
          if (this.#unpark !== resolve) return;
          this.#unpark = undefined;
          resolve(stepped === END ? this.#end() : stepped);
        },
        (error: unknown) => {
          if (this.#unpark !== resolve) return;
          this.#unpark = undefined;
          resolve(this.#fail(error));
        },
      );
    });
  }

  #end(): End | Promise<End> {
    const closing = this.close();
    return closing === undefined ? END : closing.then(() => END);
  }

  /** The error comes when the source has cleaned up; should that fail too, the first error is the one to tell. */
  #fail(error: unknown): Promise<never> {
    const rethrow = () => {
      throw error;
    };
    const closing = this.close();
    return closing === undefined ? Promise.reject(error as Error) : closing.then(rethrow, rethrow);
  }
}
