import { Ending } from "./ending.js";
import { END, type End, PENDING, type Pending, type Polled, Stream } from "./stream.js";
import type { Waker } from "./waits/waiter.js";

/** What `produce` gives. A promise of PENDING says that nothing came of it, and to produce again. */
export type Produced<T> = Polled<T> | Promise<Polled<T>>;

/**
 * A stream that keeps its side of the contract by itself: once over, always the end; whoever waits when it is closed is
 * woken; `dispose` runs once; a promise may be produced where there is something to wait for. What is left to write is
 * `produce`.
 */
export abstract class Stage<T> extends Stream<T> {
  #ending: Ending | undefined;
  #closing: Promise<void> | undefined;
  /** What was promised: not asked for, not there yet, or there. */
  #promised: "nothing" | "waiting" | "arrived" = "nothing";
  #arrived: Polled<T> = PENDING;
  #failure: { readonly error: unknown } | undefined;
  #waker: Waker | undefined;

  /**
   * Gives the next item or the end, or PENDING having seen to it that the waker will be woken; or promises one of them.
   * Not called again before its promise has settled, nor after it ended or threw.
   */
  protected abstract produce(waker: Waker): Produced<T>;

  /** Closes what the stream stands on: at the end, after an error, or when it is closed; once. */
  protected abstract dispose(): Promise<void> | undefined;

  /** Whether the stream has ended, failed or been closed: then what was under way has nobody to give its item to. */
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
    // It may have been closed by what it called, while nobody was to be woken yet.
    if (this.isOver) return this.#pollEnding(waker);
    if (produced === END) return this.#end(waker);
    if (produced instanceof Promise) this.#promised = "waiting";
    else if (produced !== PENDING) return produced;
    // Woken when this is closed, whoever else wakes it.
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

  /** Ends by itself: the end, or the failure, comes when what it stands on has cleaned up. */
  #end(waker: Waker, failure?: { readonly error: unknown }): End | Pending {
    // Set before the cleaning, which may look whether this is over.
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
