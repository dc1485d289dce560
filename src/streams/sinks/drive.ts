import { from, isPromiseLike, type Source } from "../sources/from.js";
import { END, PENDING, type Stream } from "../stream.js";
import { isTurnOver } from "../waits/turn.js";
import { runSoon, type Waker } from "../waits/waiter.js";

/** What a visitor returns to get no further items. */
export const STOP: unique symbol = Symbol("stop");

type Answer = typeof STOP | void;

export type Visit<T> = (item: T) => Answer | PromiseLike<Answer>;

/**
 * The loop of every sink. Calls `visit` with each item of a source; a promise is awaited before the next item is pulled.
 * Closes the source in every case: at the end, at STOP, when `visit` throws, and when the signal aborts. On an abort it
 * rejects with the signal's reason, at once, even during a wait. Yields to the event loop when that is due.
 */
export function drive<T>(source: Source<T>, visit: Visit<T>, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (failure: Failure | undefined) => {
      if (failure === undefined) resolve();
      else reject(failure.error);
    };
    new Drive(from(source), visit, settle, signal).begin();
  });
}

interface Failure {
  readonly error: unknown;
}

/** Callbacks instead of an async function: an item that comes as a promise then costs one microtask, not three. */
class Drive<T> implements Waker {
  readonly #stream: Stream<T>;
  readonly #visit: Visit<T>;
  readonly #signal: AbortSignal | undefined;
  readonly #settle: (failure: Failure | undefined) => void;
  /** Whether it must not poll now: a poll or a visit is running, or the loop is over. */
  #isBusy = false;
  #isOver = false;
  #isScheduled = false;

  constructor(
    stream: Stream<T>,
    visit: Visit<T>,
    settle: (failure: Failure | undefined) => void,
    signal: AbortSignal | undefined,
  ) {
    this.#stream = stream;
    this.#visit = visit;
    this.#signal = signal;
    this.#settle = settle;
  }

  begin(): void {
    if (this.#signal?.aborted === true) {
      this.#end({ error: this.#signal.reason });
      return;
    }
    this.#signal?.addEventListener("abort", this.#onAbort);
    this.resume();
  }

  wake(): void {
    if (this.#isScheduled || this.#isOver) return;
    this.#isScheduled = true;
    runSoon(this.#onScheduled);
  }

  resume(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      this.#run();
    } catch (error) {
      this.#end({ error });
    }
  }

  #run(): void {
    for (;;) {
      if (isTurnOver()) {
        setImmediate(this.#onFree);
        return;
      }
      const item = this.#stream.poll(this);
      if (item === PENDING) {
        this.#isBusy = false;
        return;
      }
      if (item === END) {
        this.#end(undefined);
        return;
      }
      const answer = this.#visit(item);
      if (isPromiseLike(answer)) {
        answer.then(this.#onVisited, this.#onFailed);
        return;
      }
      if (answer === STOP) {
        this.#end(undefined);
        return;
      }
    }
  }

  readonly #onScheduled = (): void => {
    this.#isScheduled = false;
    this.resume();
  };

  readonly #onFree = (): void => {
    if (this.#isOver) return;
    this.#isBusy = false;
    this.resume();
  };

  readonly #onVisited = (answer: Answer): void => {
    if (answer === STOP) this.#end(undefined);
    else this.#onFree();
  };

  readonly #onFailed = (error: unknown): void => this.#end({ error });

  readonly #onAbort = (): void => this.#end({ error: this.#signal?.reason });

  #end(failure: Failure | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isBusy = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const closing = this.#stream.close();
    if (closing === undefined) {
      this.#settle(failure);
      return;
    }
    // An error of the closing counts only if nothing failed before.
    closing.then(
      () => this.#settle(failure),
      (error: unknown) => this.#settle(failure ?? { error }),
    );
  }
}
