import { Ending } from "./ending.js";
import { END, type End, PENDING, type Pending, type Polled, Stream } from "./stream.js";
import type { Waker } from "./waits/waiter.js";

/** The result of `produce`. A promise of PENDING means: there was no item, call `produce` again. */
export type Produced<T> = Polled<T> | Promise<Polled<T>>;

/**
 * A stream that keeps the contract of `Stream` by itself. After the end, it always returns the end; `close` wakes a waiting
 * consumer; `dispose` runs once. A subclass writes `produce`, which may return a promise if it has to wait, and `dispose`.
 */
export abstract class Stage<T> extends Stream<T> {
  #ending: Ending | undefined;
  #closing: Promise<void> | undefined;
  /** The state of the promise of `produce`: there is none, it is pending, or it has settled. */
  #promised: "nothing" | "waiting" | "arrived" = "nothing";
  #arrived: Polled<T> = PENDING;
  #failure: { readonly error: unknown } | undefined;
  #waker: Waker | undefined;

  /**
   * Returns the next item, the end, or PENDING, or a promise of one of these. Before it returns PENDING, it arranges that
   * the waker will be woken. Not called again before its promise has settled, nor after it returned the end or threw.
   */
  protected abstract produce(waker: Waker): Produced<T>;

  /** Closes the sources of the stream. Called once: at the end, after an error, or when the stream is closed. */
  protected abstract dispose(): Promise<void> | undefined;

  /** Whether the stream has ended, failed or been closed: a pending operation then drops its item. */
  protected get isOver(): boolean {
    return this.#ending !== undefined;
  }

  override poll(waker: Waker): Polled<T> {
    if (this.#ending !== undefined) return this.#ending.poll(waker);
    if (this.#promised !== "nothing") {
      if (this.#promised === "waiting") {
        this.#waker = waker;
        return PENDING;
      }
      this.#promised = "nothing";
      const arrived = this.#arrived;
      this.#arrived = PENDING;
      if (this.#failure !== undefined) return this.#end(waker, this.#failure);
      if (arrived === END) return this.#end(waker);
      if (arrived !== PENDING) return arrived;
    }
    let produced: Produced<T>;
    try {
      produced = this.produce(waker);
    } catch (error) {
      return this.#end(waker, { error });
    }
    if (produced instanceof Promise) produced.then(this.#onArrived, this.#onFailed);
    // `produce` may have closed the stream, when no waker was set yet.
    if (this.isOver) return this.#pollEnding(waker);
    if (produced === END) return this.#end(waker);
    if (produced instanceof Promise) this.#promised = "waiting";
    else if (produced !== PENDING) return produced;
    // Kept for `close`, which must wake it.
    this.#waker = waker;
    return PENDING;
  }

  #pollEnding(waker: Waker): End | Pending {
    return this.#ending === undefined ? END : this.#ending.poll(waker);
  }

  override close(): Promise<void> | undefined {
    if (this.#ending !== undefined) return this.#closing;
    this.#ending = new Ending();
    this.#shut();
    this.#takeWaker()?.wake();
    return this.#closing;
  }

  /** Ends by itself: the end or the failure comes when the sources have cleaned up. */
  #end(waker: Waker, failure?: { readonly error: unknown }): End | Pending {
    // Set before `dispose`, which may read `isOver`.
    this.#ending = new Ending();
    this.#shut();
    this.#ending = new Ending(this.#closing, failure);
    return this.#ending.poll(waker);
  }

  #shut(): void {
    try {
      this.#closing = this.dispose();
    } catch (error) {
      this.#closing = Promise.reject(error as Error);
    }
  }

  readonly #onArrived = (item: Polled<T>): void => {
    if (this.#ending !== undefined) return;
    this.#promised = "arrived";
    this.#arrived = item;
    this.#takeWaker()?.resume();
  };

  readonly #onFailed = (error: unknown): void => {
    if (this.#ending !== undefined) return;
    this.#promised = "arrived";
    this.#failure = { error };
    this.#takeWaker()?.resume();
  };

  #takeWaker(): Waker | undefined {
    const waker = this.#waker;
    this.#waker = undefined;
    return waker;
  }
}
