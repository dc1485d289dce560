import type { Position } from "../../core/index.js";

/**
 * A page on its way to a reader. The door makes its message of the frames, and decodes none. Nobody writes to the
 * frames.
 */
export interface PageMessage {
  readonly kind: "page";
  /** Whole frames in the order of reading. Empty: the reader gets none of the records that were looked at. */
  readonly runs: readonly Uint8Array[];
  /** Whether the single run has room around it for what the door adds, as in `Page`. Unset: it has none. */
  readonly hasRoom?: boolean;
  /** A buffer of the engine's pool. The door gives it back when the page was sent. */
  readonly lent?: Buffer | undefined;
  readonly records: number;
  readonly next: Position;
  /** Readers at the same place get this very object, so the door can encode it once for all of them. */
  readonly isShared?: boolean;
}
