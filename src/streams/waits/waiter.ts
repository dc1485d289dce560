/** What a question gives while it has no answer, having seen to it that the waker will be woken when it may have one. */
export const PENDING: unique symbol = Symbol("pending");
export type Pending = typeof PENDING;

/**
 * Whom a stream tells that it is worth polling again. Either call may come at any time, and too often: the poll tells
 * the truth.
 */
export interface Waker {
  /** From anywhere: whoever is woken polls later, so that nothing of the consumer's runs inside the caller. */
  wake(): void;
  /** From a callback that has nothing left to do, of a promise or a timer: whoever is woken may poll at once. */
  resume(): void;
}

const settled = Promise.resolve();

/** Runs `task` when what runs now is done. Not `queueMicrotask`: in Node it costs three times as much. */
export function runSoon(task: () => void): void {
  void settled.then(task);
}

/** Waits for an answer that comes by polling, as one promise a wait; one wait at a time. */
export class Waiter<Answer> implements Waker {
  readonly #ask: (waker: Waker) => Answer | Pending;
  #resolve: ((answer: Answer) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #isScheduled = false;

  constructor(ask: (waker: Waker) => Answer | Pending) {
    this.#ask = ask;
  }

  /** To be called when `ask` has given PENDING: waits until it gives an answer, and rejects with what it throws. */
  wait(): Promise<Answer> {
    return new Promise(this.#park);
  }

  wake(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    runSoon(this.#resumeSoon);
  }

  resume(): void {
    const resolve = this.#resolve;
    const reject = this.#reject;
    if (resolve === undefined) return;
    try {
      const answer = this.#ask(this);
      if (answer === PENDING) return;
      this.#forget();
      resolve(answer);
    } catch (error) {
      this.#forget();
      reject?.(error);
    }
  }

  #forget(): void {
    this.#resolve = undefined;
    this.#reject = undefined;
  }

  // Fields, since a closure a wait would cost as much as the rest of it.
  readonly #park = (resolve: (answer: Answer) => void, reject: (error: unknown) => void): void => {
    this.#resolve = resolve;
    this.#reject = reject;
  };

  readonly #resumeSoon = (): void => {
    this.#isScheduled = false;
    this.resume();
  };
}
