import { END, type End, type Pulled, Stream } from "./stream.js";

/**
 * A stream that keeps its side of the contract by itself: once over, always the end; a parked pull settles when the
 * stream is closed; `dispose` runs once. What is left to write is `produce`. It costs a promise more for each wait than
 * a stream written by hand, and nothing for items that are there.
 */
export abstract class Stage<T> extends Stream<T> {
  #isOver = false;
  #disposing: Promise<void> | undefined;
  #unpark: ((end: End) => void) | undefined;

  /** Gives the next item or the end. Not called again before its promise has settled, nor after it ended or threw. */
  protected abstract produce(): Pulled<T>;

  /** Closes what the stream stands on: at the end, after an error, or when it is closed; once. */
  protected abstract dispose(): Promise<void> | undefined;

  /** Whether the stream has ended, failed or been closed: then what was under way has nobody to give its item to. */
  protected get isOver(): boolean {
    return this.#isOver;
  }

  override pull(): Pulled<T> {
    if (this.#isOver) return END;
    let pulled: Pulled<T>;
    try {
      pulled = this.produce();
    } catch (error) {
      return this.#fail(error);
    }
    if (pulled === END) return this.#end();
    return pulled instanceof Promise ? this.#park(pulled) : pulled;
  }

  override close(): Promise<void> | undefined {
    if (this.#isOver) return this.#disposing;
    this.#isOver = true;
    const unpark = this.#unpark;
    this.#unpark = undefined;
    unpark?.(END);
    this.#disposing = this.dispose();
    return this.#disposing;
  }

  #park(pulled: Promise<T | End>): Promise<T | End> {
    return new Promise<T | End>((resolve) => {
      this.#unpark = resolve;
      pulled.then(
        (item) => {
          this.#unpark = undefined;
          if (this.#isOver) resolve(END);
          else if (item === END) resolve(this.#end());
          else resolve(item);
        },
        (error: unknown) => {
          this.#unpark = undefined;
          if (this.#isOver) resolve(END);
          else resolve(this.#fail(error));
        },
      );
    });
  }

  #end(): End | Promise<End> {
    const disposing = this.close();
    return disposing === undefined ? END : disposing.then(() => END);
  }

  /** The error comes when what is upstream has cleaned up; should that fail too, the first error is the one to tell. */
  #fail(error: unknown): Promise<never> {
    const rethrow = () => {
      throw error;
    };
    const disposing = this.close();
    return disposing === undefined ? Promise.reject(error as Error) : disposing.then(rethrow, rethrow);
  }
}
