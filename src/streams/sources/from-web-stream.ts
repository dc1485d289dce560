import type { ReadableStream, ReadableStreamDefaultReader } from "node:stream/web";
import { Stage } from "../stage.js";
import { END, type End, type Stream } from "../stream.js";

/**
 * The chunks of a web `ReadableStream`, one read at a time; holds only the stream's own queue. Takes the stream's lock at
 * the first pull, and releases it at the end. Closing cancels the stream at once, even during a read, and settles when the
 * cancel has settled. The stream's error is passed on unchanged; a stream that is locked already is a `TypeError`. O(1) a
 * chunk, and a promise.
 *
 * @example
 * console.log(await collect(fromWebStream(new Blob(["ab"]).stream()), { limit: 9 })); // [ Uint8Array(2) [ 97, 98 ] ]
 */
export function fromWebStream<T>(stream: ReadableStream<T>): Stream<T> {
  return new FromWebStream(stream);
}

class FromWebStream<T> extends Stage<T> {
  readonly #stream: ReadableStream<T>;
  #reader: ReadableStreamDefaultReader<T> | undefined;
  #hasEnded = false;

  constructor(stream: ReadableStream<T>) {
    super();
    this.#stream = stream;
  }

  protected override produce(): Promise<T | End> {
    this.#reader ??= this.#stream.getReader();
    return this.#reader.read().then(this.#onRead, this.#onFailed);
  }

  protected override dispose(): Promise<void> | undefined {
    const reader = this.#reader;
    if (this.#hasEnded) {
      reader?.releaseLock();
      return undefined;
    }
    if (reader === undefined) return this.#stream.locked ? undefined : this.#stream.cancel();
    // This settles a pending read at once, so that the lock can be released.
    const cancelling = reader.cancel();
    reader.releaseLock();
    return cancelling;
  }

  readonly #onRead = (result: { done: boolean; value?: T | undefined }): T | End => {
    if (!result.done) return result.value as T;
    this.#hasEnded = true;
    return END;
  };

  readonly #onFailed = (error: unknown): never => {
    this.#hasEnded = true;
    throw error;
  };
}
