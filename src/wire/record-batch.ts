/**
 * The records of one Append or Publish request, undecoded: frames whose stamps are written when the appender knows their
 * offsets and their time (`stamp.ts`).
 */
export interface RecordBatch {
  /** Frames one behind the other, in a buffer of their own; the bytes of their stamps mean nothing yet. */
  readonly frames: Buffer;
  /** Where each frame ends; one entry a record. */
  readonly ends: Uint32Array;
  /** Whether any of them has a lifetime. */
  readonly expires: boolean;
}

/** What waits no more. */
export const noRecords: RecordBatch = { frames: Buffer.alloc(0), ends: new Uint32Array(0), expires: false };
