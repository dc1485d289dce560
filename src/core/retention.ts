/** How much of a topic's log is kept. Records beyond any of these bounds are removed, oldest first. 0: no bound. */
export interface Retention {
  /** Records older than this are removed. */
  readonly ageMs: number;
  /** All but this many records, the newest, are removed. */
  readonly records: number;
  /** The oldest records are removed until this many bytes of frames are left. */
  readonly bytes: number;
}

export const noRetention: Retention = { ageMs: 0, records: 0, bytes: 0 };

/** A topic's own bounds, and the node's defaults where it sets none. */
export function effectiveRetention(own: Retention, defaults: Retention): Retention {
  return {
    ageMs: own.ageMs || defaults.ageMs,
    records: own.records || defaults.records,
    bytes: own.bytes || defaults.bytes,
  };
}
