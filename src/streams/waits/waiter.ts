/** The result of a poll that has no answer yet. The waker will be woken when there may be one. */
export const PENDING: unique symbol = Symbol("pending");
export type Pending = typeof PENDING;

/**
 * A stream calls it when it is worth polling again. Both calls may come at any time, and too often: only the poll tells
 * whether there is an item.
 */
export interface Waker {
  /** May be called anywhere: the consumer polls later, so that none of its code runs inside the caller. */
  wake(): void;
  /** For the end of a callback of a promise or a timer: the consumer may poll at once, inside the call. */
  resume(): void;
}

const settled = Promise.resolve();

/** Runs `task` as a microtask. Not `queueMicrotask`: in Node it costs three times as much. */
export function runSoon(task: () => void): void {
  void settled.then(task);
}

/** Waits for an answer by polling. One wait at a time, and one promise for each. */
export class Waiter<Answer> implements Waker {
  readonly #ask: (waker: Waker) => Answer | Pending;
  #resolve: ((answer: Answer) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #isScheduled = false;

  constructor(ask: (waker: Waker) => Answer | Pending) {
    this.#ask = ask;
  }

  /** Call it when `ask` has returned PENDING: waits until `ask` returns an answer, and rejects with its error. */
  wait(): Promise<Answer> {
    return new Promise(this.#keep);
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

  // Fields, since a closure for each wait would cost as much as the rest of the wait.
  readonly #keep = (resolve: (answer: Answer) => void, reject: (error: unknown) => void): void => {
    this.#resolve = resolve;
    this.#reject = reject;
  };

  readonly #resumeSoon = (): void => {
    this.#isScheduled = false;
    this.resume();
  };
}
