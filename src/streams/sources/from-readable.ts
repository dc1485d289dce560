import { finished, type Readable } from "node:stream";
import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/**
 * The chunks of a Node `Readable`, or its objects. Pulled, not pushed: it buffers up to its own `highWaterMark`, from the
 * first pull on, and what is there is given without a promise; bytes that are there come as one chunk.
 *
 * The readable's error comes after the chunks that it had read, once; a readable that is closed before its end fails with
 * `ERR_STREAM_PREMATURE_CLOSE`. Its errors are heard from the call on. Closing the stream destroys the readable at once,
 * and settles when that has closed; a readable that came to its end is left alone, since a socket may still be written
 * to. The listeners go with the end. O(1) a chunk.
 *
 * @example
 * const { Readable } = await import("node:stream");
 * console.log(await collect(fromReadable<number>(Readable.from([1, 2])), { limit: 10 })); // [ 1, 2 ]
 */
export function fromReadable<T = Uint8Array>(readable: Readable): Stream<T> {
  return new FromReadable<T>(readable);
}

class FromReadable<T> extends Stage<T> {
  readonly #readable: Readable;
  readonly #stopHearing: () => void;
  #isListening = false;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #waker: Waker | undefined;

  constructor(readable: Readable) {
    super();
    this.#readable = readable;
    this.#stopHearing = finished(readable, { writable: false }, this.#onFinished);
  }

  protected override produce(waker: Waker): Polled<T> {
    if (!this.#isListening) {
      this.#isListening = true;
      this.#readable.on("readable", this.#onReadable);
    }
    // Also when it has failed: it still holds what it had read before.
    const chunk: T | null = this.#readable.read();
    if (chunk !== null) return chunk;
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#hasEnded) return END;
    this.#waker = waker;
    return PENDING;
  }

  protected override dispose(): Promise<void> | undefined {
    this.#readable.off("readable", this.#onReadable);
    const waker = this.#waker;
    this.#waker = undefined;
    waker?.wake();
    if (this.#hasEnded || this.#readable.closed) {
      this.#stopHearing();
      return undefined;
    }
    return this.#destroy();
  }

  /** Its errors are heard until it has closed, and told to nobody: unheard, they would end the process. */
  #destroy(): Promise<void> {
    return new Promise((resolve) => {
      this.#readable.once("close", () => {
        this.#stopHearing();
        resolve();
      });
      this.#readable.destroy();
    });
  }

  readonly #onReadable = (): void => {
    this.#waker?.wake();
  };

  readonly #onFinished = (error?: Error | null): void => {
    if (error) this.#failure = { error };
    else this.#hasEnded = true;
    this.#waker?.wake();
  };
}
