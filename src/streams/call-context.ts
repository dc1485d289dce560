import { setMaxListeners } from "node:events";

/** What the functions that are given to operators get beside the item. */
export interface CallContext {
  /** Aborts when the stream is closed or fails while the function is under way: its result is then not awaited. */
  readonly signal: AbortSignal;
}

/** Makes the signal when somebody asks for it: most functions do not, and an AbortController costs as much as ten items. */
export class LazyCallContext implements CallContext {
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      // As many functions share it as are under way: a bound that their operator has.
      setMaxListeners(0, this.#controller.signal);
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#controller?.abort(new Error("The stream was closed"));
  }
}
