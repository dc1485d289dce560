/** The resume point: always the next offset that is wanted, in the incarnation of the topic that gave it. */
export interface Position {
  /** 0 where it is not checked. */
  readonly epoch: number;
  readonly offset: number;
}

/** A run of frames, concatenated: what one database read returns, and what one response message carries. */
export interface Page {
  /** The lowest offset in it. */
  readonly first: number;
  /** The offset after the highest in it. The page holds `next - first` records. */
  readonly next: number;
  /** The topic's running total of frame bytes up to and with the highest offset: the cursor's byte position. */
  readonly endBytes: number;
  /** The frames, ascending by offset; descending in a page that was read backward. */
  readonly frames: Uint8Array;
  /**
   * Whether its buffer has `pageRoom` around the frames, which nobody else uses: for what a response adds, so that a page
   * becomes a message without being copied.
   */
  readonly hasRoom: boolean;
  /** What of a pool it stands in: to be given back when the page has gone. Unset: it is left to the garbage collector. */
  readonly lent?: Buffer | undefined;
}

/**
 * Bytes that a store leaves around a page's frames. A prefix of gRPC takes 5 before them. Behind them a position takes at
 * most 20, and the end of a read, in its first message, at most 9.
 */
export const pageRoom = { before: 5, behind: 32 } as const;
