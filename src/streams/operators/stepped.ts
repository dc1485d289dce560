import { LazyCallContext } from "../call-context.js";
import { from, isPromiseLike, type Source } from "../sources/from.js";
import { type Produced, Stage } from "../stage.js";
import { END, type End, PENDING, type Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";
import type { Waker } from "../waits/waiter.js";

/** What a step returns to drop an item. */
export const SKIP: unique symbol = Symbol("skip");

/** What a step returns for the last item of the stream. The source is closed before the next pull. */
export class LastItem<U> {
  readonly item: U;

  constructor(item: U) {
    this.item = item;
  }
}

export type Stepped<U> = U | LastItem<U> | typeof SKIP | End;

/**
 * Turns one item into another item, nothing, or the end of the stream, which closes the source. A promise is awaited before
 * the next item is pulled.
 */
export type Step<T, U> = (item: T, context: LazyCallContext) => Stepped<U> | PromiseLike<Stepped<U>>;

/** Steps are stored without their types, which differ from step to step. */
type AnyStep = Step<unknown, unknown>;

/**
 * The base of map, filter, take and the like: up to one item out for each item in, in order, and nothing is held. It makes
 * no promise unless the source or the step waits. Consecutive steps become one stream, so that an item that has to be
 * waited for costs one promise for all of them.
 */
export function stepThrough<T, U>(source: Source<T>, step: Step<T, U>): Stream<U> {
  if (source instanceof SteppedStream) return source.extend(step as AnyStep) as Stream<U>;
  return new SteppedStream(from(source), [step as AnyStep]) as Stream<unknown> as Stream<U>;
}

class SteppedStream extends Stage<unknown> {
  readonly #source: Stream<unknown>;
  readonly #steps: readonly AnyStep[];
  readonly #context = new LazyCallContext();
  /** The last item was returned; the end comes next. */
  #isLast = false;
  /** The stream that has taken over this one's source and steps. */
  #successor: SteppedStream | undefined;

  constructor(source: Stream<unknown>, steps: readonly AnyStep[]) {
    super();
    this.#source = source;
    this.#steps = steps;
  }

  /** Returns a stream with one more step. This stream can then only be closed: a stream is single use. */
  extend(step: AnyStep): Stream<unknown> {
    if (this.isOver || this.#successor !== undefined) return new SteppedStream(this, [step]);
    this.#successor = new SteppedStream(this.#source, [...this.#steps, step]);
    return this.#successor;
  }

  protected override produce(waker: Waker): Produced<unknown> {
    if (this.#isLast || this.#successor !== undefined) return END;
    for (;;) {
      const item = this.#source.poll(waker);
      if (item === PENDING || item === END) return item;
      const stepped = this.#stepFrom(0, item);
      if (stepped !== SKIP) return stepped;
      // A run of dropped items must not block the event loop.
      if (isTurnOver()) return yieldToEventLoop().then(again);
    }
  }

  protected override dispose(): Promise<void> | undefined {
    if (this.#successor !== undefined) return this.#successor.close();
    this.#context.abort();
    return this.#source.close();
  }

  /** Applies the steps from `index` on to an item. Returns an item, SKIP, the end, or a promise. */
  #stepFrom(index: number, item: unknown): unknown {
    const steps = this.#steps;
    let stepped = item;
    for (let at = index; at < steps.length; at += 1) {
      stepped = (steps[at] as AnyStep)(stepped, this.#context);
      if (stepped === SKIP || stepped === END) return stepped;
      if (typeof stepped === "object" && stepped !== null) {
        if (isPromiseLike(stepped)) return this.#stepLater(stepped, at + 1);
        if (stepped instanceof LastItem) stepped = this.#takeLast(stepped);
      }
    }
    return stepped;
  }

  async #stepLater(step: PromiseLike<unknown>, next: number): Promise<unknown> {
    const stepped = await step;
    if (stepped === SKIP || this.isOver) return PENDING;
    if (stepped === END) return END;
    const item = this.#stepFrom(next, stepped instanceof LastItem ? this.#takeLast(stepped) : stepped);
    return item === SKIP ? PENDING : item;
  }

  /** Closes the source after its last item. */
  #takeLast({ item }: LastItem<unknown>): unknown {
    this.#isLast = true;
    // An error is dropped here: `dispose` closes the source at the end, and gets the same one.
    this.#source.close()?.catch(() => undefined);
    return item;
  }
}

function again(): typeof PENDING {
  return PENDING;
}
