import type { Position } from "../core/index.js";

/** A position of a message: unset fields are 0. */
export function positionOf(
  message: { readonly epoch: number; readonly offset?: number | undefined } | undefined,
): Position {
  return { epoch: message?.epoch ?? 0, offset: message?.offset ?? 0 };
}
