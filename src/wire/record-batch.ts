/**
 * The records of one Append or Publish request, undecoded: frames whose stamps are written once the appender knows their
 * offsets and their time (`stamp.ts`).
 */
export interface RecordBatch {
  /** Concatenated frames, in a buffer of their own. The bytes of their stamps are arbitrary until then. */
  readonly frames: Buffer;
  /** Where each frame ends; one entry a record. */
  readonly ends: Uint32Array;
  /** Whether any of the records has a lifetime. */
  readonly hasLifetimes: boolean;
}

/** Takes the place of a batch whose memory is released. */
export const noRecords: RecordBatch = { frames: Buffer.alloc(0), ends: new Uint32Array(0), hasLifetimes: false };
