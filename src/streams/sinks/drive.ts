import { from, isPromiseLike, type Source } from "../sources/from.js";
import { END, PENDING, type Stream } from "../stream.js";
import { isTurnOver } from "../waits/turn.js";
import { runSoon, type Waker } from "../waits/waiter.js";

/** What a visitor says to be given no more. */
export const STOP: unique symbol = Symbol("stop");

type Answer = typeof STOP | void;

export type Visit<T> = (item: T) => Answer | PromiseLike<Answer>;

/**
 * Takes all items of a source, and hands each to `visit`; a promise is awaited before the next item is asked for.
 * Closes the source however it leaves: at STOP, when `visit` throws, and when the signal aborts, which it then rejects
 * with the reason of, at once, also while it waits. Gives the event loop its turns. This is the loop of every sink.
 */
export function drive<T>(source: Source<T>, visit: Visit<T>, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    new Drive(from(source), visit, signal, (failure) => {
      if (failure === undefined) resolve();
      else reject(failure.error);
    }).begin();
  });
}

interface Failure {
  readonly error: unknown;
}

/** Callbacks instead of an async function: an item that comes by a promise then costs one microtask, not three. */
class Drive<T> implements Waker {
  readonly #stream: Stream<T>;
  readonly #visit: Visit<T>;
  readonly #signal: AbortSignal | undefined;
  readonly #settle: (failure: Failure | undefined) => void;
  /** Whether it may not poll now: it does so already, a visit is under way, or it is over. */
  #isBusy = false;
  #isOver = false;
  #isScheduled = false;

  constructor(
    stream: Stream<T>,
    visit: Visit<T>,
    signal: AbortSignal | undefined,
    settle: (failure: Failure | undefined) => void,
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
    // A failure of the closing counts if nothing failed before it.
    closing.then(
      () => this.#settle(failure),
      (error: unknown) => this.#settle(failure ?? { error }),
    );
  }
}
