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
   * Bytes behind `frames` in its buffer that nobody else uses: room for what a response adds, so that a page becomes a
   * message without being copied. 0 when there are none.
   */
  readonly spareBytes: number;
}

/** What a store leaves behind a page's frames: a position takes at most 20 bytes. */
export const pageSpareBytes = 32;
