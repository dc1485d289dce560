import { END, type Polled, Stream } from "../stream.js";

/**
 * The numbers from `start` to below `end`, in steps of `step`; without `end`, for ever; with a negative `step`, downwards
 * to above `end`. Each is made when it is asked for. Throws a `RangeError` for a step of 0 or NaN.
 *
 * @example
 * console.log(await collect(range(0, 10, 3), { limit: 10 })); // [ 0, 3, 6, 9 ]
 */
export function range(start: number, end = Infinity, step = 1): Stream<number> {
  if (step === 0 || Number.isNaN(step)) throw new RangeError(`Cannot count in steps of ${step}`);
  return new Range(start, end, step);
}

class Range extends Stream<number> {
  readonly #start: number;
  readonly #end: number;
  readonly #step: number;
  #index = 0;
  #isClosed = false;

  constructor(start: number, end: number, step: number) {
    super();
    this.#start = start;
    this.#end = end;
    this.#step = step;
  }

  override poll(): Polled<number> {
    // A product, not a sum: adding 0.1 ten times gives less than 1.
    const number = this.#start + this.#index * this.#step;
    if (this.#isClosed || (this.#step > 0 ? number >= this.#end : number <= this.#end)) return END;
    this.#index += 1;
    return number;
  }

  override close(): undefined {
    // A flag, not `#index = Infinity`: V8 would no longer keep the index as a small integer.
    this.#isClosed = true;
  }
}
