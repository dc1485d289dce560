import { setMaxListeners } from "node:events";

/** The second argument of functions that operators call. */
export interface CallContext {
  /** Aborts when the stream is closed or fails while the function runs: its result is then not awaited. */
  readonly signal: AbortSignal;
}

/** Makes the signal on access: most functions do not use it, and an AbortController costs as much as ten items. */
export class LazyCallContext implements CallContext {
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      // All running calls share it; their operator bounds how many these are.
      setMaxListeners(0, this.#controller.signal);
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#controller?.abort(new Error("The stream was closed"));
  }
}
