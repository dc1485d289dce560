/** How much of a topic's log is kept: what is beyond one of these leaves from the front. 0: no bound. */
export interface Retention {
  /** Records older than this leave. */
  readonly ageMs: number;
  /** All but the newest so many leave. */
  readonly records: number;
  /** The oldest leave until so many bytes of frames are left. */
  readonly bytes: number;
}

export const noRetention: Retention = { ageMs: 0, records: 0, bytes: 0 };

/** What a topic says for itself, and the node's defaults where it says nothing. */
export function effectiveRetention(own: Retention, defaults: Retention): Retention {
  return {
    ageMs: own.ageMs || defaults.ageMs,
    records: own.records || defaults.records,
    bytes: own.bytes || defaults.bytes,
  };
}
