import { END, type End, PENDING, type Pending } from "./stream.js";
import type { Waker } from "./waits/waiter.js";

/**
 * The last phase of a stream. It waits until the sources have cleaned up, throws the failure once, and then always returns
 * the end. If the cleanup fails as well, the first failure is thrown.
 */
export class Ending {
  #isCleaning: boolean;
  #failure: { readonly error: unknown } | undefined;
  #waker: Waker | undefined;

  constructor(closing?: Promise<void>, failure?: { readonly error: unknown }) {
    this.#failure = failure;
    this.#isCleaning = closing !== undefined;
    closing?.then(
      () => this.#cleaned(),
      (error: unknown) => {
        this.#failure ??= { error };
        this.#cleaned();
      },
    );
  }

  poll(waker: Waker): End | Pending {
    if (this.#isCleaning) {
      this.#waker = waker;
      return PENDING;
    }
    const failure = this.#failure;
    if (failure === undefined) return END;
    this.#failure = undefined;
    throw failure.error;
  }

  #cleaned(): void {
    this.#isCleaning = false;
    this.#waker?.resume();
    this.#waker = undefined;
  }
}
