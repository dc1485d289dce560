import { type Skipped as SkippedMessage, Skipped_Reason } from "../gen/millrace/v1/record.js";

/** Records that were passed over, as asked. */
export interface Skipped {
  readonly type: "skipped";
  /** The first offset that was passed over. */
  readonly firstOffset: number;
  /** The offset after the last one that was passed over. */
  readonly nextOffset: number;
  /** A trim took them; or the follower was too slow. */
  readonly reason: "trimmed" | "behind";
}

export function skippedOf({ firstOffset, nextOffset, reason }: SkippedMessage): Skipped {
  return { type: "skipped", firstOffset, nextOffset, reason: reason === Skipped_Reason.BEHIND ? "behind" : "trimmed" };
}
