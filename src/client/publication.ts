import type { Acknowledgement, BatchFate } from "./record-batch.js";

/**
 * The promise of one record, made of its batch's when somebody waits for it: most publishers wait for `flush` alone, and
 * a promise a record was a fifth of what publishing one cost.
 */
export class Publication implements Promise<Acknowledgement> {
  readonly [Symbol.toStringTag] = "Promise";
  readonly #fate: BatchFate;
  readonly #index: number;

  constructor(fate: BatchFate, index: number) {
    this.#fate = fate;
    this.#index = index;
  }

  // A thenable is what this is: a promise that costs nothing until then.
  // oxlint-disable-next-line unicorn/no-thenable
  then<Fulfilled = Acknowledgement, Rejected = never>(
    onFulfilled?: ((acknowledgement: Acknowledgement) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#promise().then(onFulfilled, onRejected);
  }

  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Acknowledgement | Rejected> {
    return this.#promise().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<Acknowledgement> {
    return this.#promise().finally(onFinally);
  }

  #promise(): Promise<Acknowledgement> {
    return this.#fate.settled.then((first) => ({ ...first, offset: first.offset + this.#index }));
  }
}
