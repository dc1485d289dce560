import type { Position } from "../../core/index.js";

/** A page on its way to a reader. A door makes its message of the frames, and decodes none; they are never written to. */
export interface PageMessage {
  readonly kind: "page";
  /** Whole frames in the order of reading. None: nothing of what was looked at is for this reader. */
  readonly runs: readonly Uint8Array[];
  /** Of a single run, as in `Page`: room around it for this position, and nothing else. Unset: there is none. */
  readonly hasRoom?: boolean;
  /** A buffer of the engine's pool, for its door to give back when the page has gone. */
  readonly lent?: Buffer | undefined;
  readonly records: number;
  readonly next: Position;
  /** Readers at the same place get this very object: what a door makes of it serves them all. */
  readonly isShared?: boolean;
}
