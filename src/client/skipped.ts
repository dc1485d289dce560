import type { SkippedReason } from "../core/index.js";
import type { Skipped as SkippedMessage } from "../gen/millrace/v1/record.js";
import { decodeSkippedReason } from "../wire/index.js";

/** Records that were skipped, as the options ask for. */
export interface Skipped {
  readonly type: "skipped";
  /** The first skipped offset. */
  readonly firstOffset: number;
  /** The offset after the last skipped one. */
  readonly nextOffset: number;
  /** The topic no longer keeps them, or the follower was too slow. */
  readonly reason: SkippedReason;
}

export function skippedOf({ firstOffset, nextOffset, reason }: SkippedMessage): Skipped {
  return { type: "skipped", firstOffset, nextOffset, reason: decodeSkippedReason(reason) };
}
