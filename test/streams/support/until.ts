import { yieldToEventLoop } from "../../../src/streams/index.js";

/** Gives the event loop turns until `isSo`: however many it takes on a busy machine. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await yieldToEventLoop();
}

/** Gives the event loop a number of turns, for what must not happen in them. */
export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await yieldToEventLoop();
}
