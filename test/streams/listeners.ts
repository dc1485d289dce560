import { getEventListeners } from "node:events";

/** The number of abort listeners on this signal. */
export function abortListeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}
