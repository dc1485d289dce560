import { getEventListeners } from "node:events";

/** How many listeners wait for this signal's abort. */
export function abortListeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}
