import { yieldToEventLoop } from "../../../src/streams/index.js";

/** Yields to the event loop until `isSo` holds, however many turns a busy machine takes. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await yieldToEventLoop();
}

/** Yields to the event loop for a number of turns, in which something must not happen. */
export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await yieldToEventLoop();
}
