import type { Acknowledgement, BatchOutcome } from "./outgoing-batch.js";

/**
 * The promise of one record, derived from its batch's promise when somebody waits for it. Most publishers wait for
 * `flush` alone, and one promise per record was a fifth of the cost of publishing.
 */
export class Publication implements Promise<Acknowledgement> {
  readonly [Symbol.toStringTag] = "Promise";
  readonly #outcome: BatchOutcome;
  readonly #index: number;

  constructor(outcome: BatchOutcome, index: number) {
    this.#outcome = outcome;
    this.#index = index;
  }

  // A thenable on purpose: a promise that costs nothing until somebody waits for it.
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
    return this.#outcome.settled.then((first) => ({ ...first, offset: first.offset + this.#index }));
  }
}
