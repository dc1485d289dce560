import type { FollowWaiting } from "../../core/index.js";
import { FollowResponse_Heartbeat_Waiting as Waiting } from "../../gen/millrace/v1/record_service.js";
import { decodedWords } from "./decoded-words.js";

export const encodedFollowWaiting = {
  "new-records": Waiting.NEW_RECORDS,
  database: Waiting.DATABASE,
} as const satisfies Record<FollowWaiting, Waiting>;

const words = decodedWords<FollowWaiting>(encodedFollowWaiting);

/** A reason that this program does not know reads as "new-records". */
export function decodeFollowWaiting(waiting: Waiting): FollowWaiting {
  return words.get(waiting) ?? "new-records";
}
