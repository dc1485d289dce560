/** How a client wants to read, and why records are left out. */

import type { Direction, SkippedReason, WhenBehind, WhenTrimmed } from "../../core/index.js";
import { Skipped_Reason, Trimmed_Policy } from "../../gen/millrace/v1/record.js";
import { FollowRequest_WhenBehind, ReadRequest_Direction } from "../../gen/millrace/v1/record_service.js";
import { decodedWords } from "./decoded-words.js";

export const encodedDirection = {
  forward: ReadRequest_Direction.FORWARD,
  backward: ReadRequest_Direction.BACKWARD,
} as const satisfies Record<Direction, ReadRequest_Direction>;

/** Unset: forward. */
export const decodedDirection = decodedWords<Direction>(encodedDirection, "forward");

export const encodedWhenTrimmed = {
  fail: Trimmed_Policy.FAIL,
  skip: Trimmed_Policy.SKIP,
} as const satisfies Record<WhenTrimmed, Trimmed_Policy>;

/** Unset: fail. */
export const decodedWhenTrimmed = decodedWords<WhenTrimmed>(encodedWhenTrimmed, "fail");

export const encodedWhenBehind = {
  "catch-up": FollowRequest_WhenBehind.CATCH_UP,
  skip: FollowRequest_WhenBehind.SKIP,
  fail: FollowRequest_WhenBehind.FAIL,
} as const satisfies Record<WhenBehind, FollowRequest_WhenBehind>;

/** Unset: catch-up. */
export const decodedWhenBehind = decodedWords<WhenBehind>(encodedWhenBehind, "catch-up");

export const encodedSkippedReason = {
  trimmed: Skipped_Reason.TRIMMED,
  behind: Skipped_Reason.BEHIND,
} as const satisfies Record<SkippedReason, Skipped_Reason>;

const skippedReasons = decodedWords<SkippedReason>(encodedSkippedReason);

/** A reason that this program does not know reads as "trimmed". */
export function decodeSkippedReason(reason: Skipped_Reason): SkippedReason {
  return skippedReasons.get(reason) ?? "trimmed";
}
