import { finished, type Readable } from "node:stream";
import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/**
 * The chunks or objects of a Node `Readable`. It is pulled, not pushed: from the first pull on, the readable buffers up to
 * its own `highWaterMark`. Buffered data is returned without a promise; buffered bytes come as one chunk.
 *
 * The readable's error comes once, after the chunks before it. A readable that is closed before its end fails with
 * `ERR_STREAM_PREMATURE_CLOSE`. The stream listens for errors from the call on. Closing it destroys the readable at once,
 * and settles when the readable has closed. A readable that has ended is not destroyed, since a socket may still be written
 * to. The end removes the listeners. O(1) a chunk.
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
  readonly #stopListening: () => void;
  #isListening = false;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #waker: Waker | undefined;

  constructor(readable: Readable) {
    super();
    this.#readable = readable;
    this.#stopListening = finished(readable, { writable: false }, this.#onFinished);
  }

  protected override produce(waker: Waker): Polled<T> {
    if (!this.#isListening) {
      this.#isListening = true;
      this.#readable.on("readable", this.#onReadable);
    }
    // Even after a failure: the readable still holds the chunks before it.
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
      this.#stopListening();
      return undefined;
    }
    return this.#destroy();
  }

  /** Listens for errors until the readable has closed, and drops them: an unhandled one would end the process. */
  #destroy(): Promise<void> {
    return new Promise((resolve) => {
      this.#readable.once("close", () => {
        this.#stopListening();
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
