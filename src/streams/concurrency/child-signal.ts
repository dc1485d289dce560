import { setMaxListeners } from "node:events";

/** A signal that can be aborted, and that aborts with an outer signal too. */
export interface ChildSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Removes the listener from the outer signal. */
  unlink(): void;
}

/** Many tasks may share it without Node's warning: one listener on the outer signal serves all of them. */
export function childSignal(outer: AbortSignal | undefined): ChildSignal {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const onAbort = () => controller.abort(outer?.reason);
  if (outer?.aborted) onAbort();
  else outer?.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => outer?.removeEventListener("abort", onAbort),
  };
}
