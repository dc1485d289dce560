import { END, type End, PENDING, type Pending } from "./stream.js";
import type { Waker } from "./waits/waiter.js";

/**
 * The last thing that a stream does by itself: it waits until what it stands on has cleaned up, tells its failure, once,
 * and then gives the end, always. Should the cleanup fail as well, the first failure is the one that is told.
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
