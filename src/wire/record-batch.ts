/**
 * The records of one Append or Publish request, undecoded: places in the request's own bytes. They are copied once, when
 * the appender frames them (`stamp.ts`).
 */

/** Records in order, as places in `bytes`. */
export interface RecordBatch {
  readonly bytes: Uint8Array;
  /** Where record i begins and ends: `[bounds[2i], bounds[2i + 1])`. */
  readonly bounds: readonly number[];
  /** The records that bring a `time` or `offset` of their own, which are left out when they are framed. */
  readonly stamped: ReadonlySet<number>;
  readonly count: number;
  /** Whether any of them has a lifetime. */
  readonly expires: boolean;
  /** What it occupies while it waits: the whole request's bytes, which its records pin. */
  readonly weight: number;
}
