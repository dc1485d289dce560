import type { Writable } from "node:stream";
import { WritableClosedError } from "../errors.js";
import { from, type Source } from "../sources/from.js";
import { END, type Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";

export interface ToWritableOptions {
  /** Whether to end the writable after the last item and wait for it, and to destroy it on a failure. Default true. */
  readonly end?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Writes each item to a Node `Writable`, in order. When the writable is full, waits for its drain before the next pull, so
 * only the writable's own `highWaterMark` is held. Resolves when the writable has finished; with `end: false`, when it has
 * taken the last item.
 *
 * Rejects with the source's error, with the writable's error, with `WritableClosedError` when the writable closes before
 * the end, and with the signal's reason as soon as it aborts. The source is then closed. The writable is then destroyed, so
 * that half of the items do not look like all of them, unless `end` is false. O(1) an item, without a promise or a listener
 * for each.
 *
 * @example
 * const { PassThrough } = await import("node:stream");
 * const out = new PassThrough();
 * await pipe(range(1, 4), map((n) => `${n};`), toWritable(out));
 * console.log(String(out.read())); // 1;2;3;
 */
export function toWritable(writable: Writable, options?: ToWritableOptions): (source: Source<unknown>) => Promise<void>;
export function toWritable(source: Source<unknown>, writable: Writable, options?: ToWritableOptions): Promise<void>;
export function toWritable(...args: readonly unknown[]): unknown {
  // `inBothStyles` does not work here: a duplex is a writable that is iterable too.
  if (isWritable(args[1])) return writeAll(...(args as unknown as Parameters<typeof writeAll>));
  const [writable, options] = args as [Writable, ToWritableOptions?];
  return (source: Source<unknown>) => writeAll(source, writable, options);
}

function isWritable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "write" in value && typeof value.write === "function";
}

async function writeAll(source: Source<unknown>, writable: Writable, options: ToWritableOptions = {}): Promise<void> {
  await new WritableSink(from(source), writable, options.end ?? true).run(options.signal);
}

class WritableSink {
  readonly #source: Stream<unknown>;
  readonly #writable: Writable;
  readonly #isOurs: boolean;
  #isEnding = false;
  #failure: { readonly error: unknown } | undefined;
  /** Called when the writable has drained or finished, or anything has failed. */
  #wake: (() => void) | undefined;

  constructor(source: Stream<unknown>, writable: Writable, isOurs: boolean) {
    this.#source = source;
    this.#writable = writable;
    this.#isOurs = isOurs;
  }

  async run(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => this.#fail(signal?.reason);
    const writable = this.#writable;
    writable
      .on("drain", this.#onReady)
      .on("finish", this.#onReady)
      .on("error", this.#onError)
      .on("close", this.#onClose);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort);
    try {
      this.#checkOpen();
      await this.#pump();
      await this.#source.close();
      if (this.#isOurs && this.#failure === undefined) await this.#finish();
    } catch (error) {
      this.#fail(error);
    }
    signal?.removeEventListener("abort", onAbort);
    await this.#leave();
  }

  async #pump(): Promise<void> {
    while (this.#failure === undefined) {
      if (isTurnOver()) await yieldToEventLoop();
      // If the source was closed meanwhile, this returns the end.
      const pulled = this.#source.pull();
      const item = pulled instanceof Promise ? await pulled : pulled;
      if (item === END || this.#failure !== undefined) return;
      if (!this.#writable.write(item)) await this.#drained();
    }
  }

  async #drained(): Promise<void> {
    if (this.#failure !== undefined) return;
    if (this.#writable.writableNeedDrain) {
      await this.#woken();
      return;
    }
    // The writable refuses items for good. If no event says why within this turn, it closed without an error, or it emits
    // its error only when it has closed.
    await yieldToEventLoop();
    if (this.#failure === undefined) throw this.#writable.errored ?? new WritableClosedError();
  }

  async #finish(): Promise<void> {
    this.#isEnding = true;
    this.#writable.end();
    while (this.#failure === undefined && !this.#writable.writableFinished) await this.#woken();
  }

  /** Removes the listeners, and throws the failure when the source has cleaned up. */
  async #leave(): Promise<void> {
    const writable = this.#writable;
    writable.off("drain", this.#onReady).off("finish", this.#onReady).off("close", this.#onClose);
    if (this.#failure === undefined) {
      writable.off("error", this.#onError);
      return;
    }
    // Keeps the error listener: a destroyed writable may still emit an error, which would end the process unhandled.
    if (this.#isOurs) writable.destroy();
    else writable.off("error", this.#onError);
    try {
      await this.#source.close();
    } catch {
      // Only the first failure counts.
    }
    throw this.#failure.error;
  }

  #checkOpen(): void {
    const { errored, destroyed, writableEnded } = this.#writable;
    if (errored) throw errored;
    if (destroyed || writableEnded) throw new WritableClosedError();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  readonly #onReady = (): void => this.#wake?.();

  readonly #onError = (error: unknown): void => this.#fail(error);

  readonly #onClose = (): void => {
    if (!this.#isEnding || !this.#writable.writableFinished)
      this.#fail(this.#writable.errored ?? new WritableClosedError());
  };

  /** Only the first failure counts. Closing the source ends a pending pull. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    try {
      this.#source.close()?.catch(() => undefined);
    } catch {
      // A sync iterator's return() threw: only the first failure counts.
    }
    this.#wake?.();
  }
}
