/** Where to resume: always the next offset that is wanted, in one incarnation of the topic. */
export interface Position {
  /** 0: not checked. */
  readonly epoch: number;
  readonly offset: number;
}

/** A run of frames, concatenated: what one database read returns and one response message carries. */
export interface Page {
  /** The lowest offset in it. */
  readonly first: number;
  /** The offset after the highest in it. The page holds `next - first` records. */
  readonly next: number;
  /** The topic's running total of frame bytes, including the highest offset: the byte position of a cursor. */
  readonly endBytes: number;
  /** The frames, ascending by offset; descending in a page that was read backward. */
  readonly frames: Uint8Array;
  /**
   * Whether the buffer has unused `pageRoom` around the frames. A response writes its other fields there, so a page becomes
   * a message without a copy.
   */
  readonly hasRoom: boolean;
  /** The pool's buffer that holds the frames: give it back once the page is sent. Unset: the garbage collector frees it. */
  readonly lent?: Buffer | undefined;
}

/**
 * Bytes that a store leaves around a page's frames. gRPC's prefix takes 5 in front. Behind, a position takes up to 20, and
 * the end of a read, in its first message, up to 9.
 */
export const pageRoom = { before: 5, behind: 32 } as const;
