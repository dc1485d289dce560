import type { LiveStreamWaiting } from "../../core/index.js";
import { LiveStream_Waiting as Waiting } from "../../gen/millrace/v1/inspect_service.js";
import { decodedWords } from "./decoded-words.js";

export const encodedLiveStreamWaiting = {
  nothing: Waiting.WAITING_UNSPECIFIED,
  "client-window": Waiting.CLIENT_WINDOW,
  database: Waiting.DATABASE,
  "new-records": Waiting.NEW_RECORDS,
  "client-message": Waiting.CLIENT_MESSAGE,
  "publish-budget": Waiting.PUBLISH_BUDGET,
} as const satisfies Record<LiveStreamWaiting, Waiting>;

const words = decodedWords<LiveStreamWaiting>(encodedLiveStreamWaiting);

/** A reason that this program does not know reads as "nothing". */
export function decodeLiveStreamWaiting(waiting: Waiting): LiveStreamWaiting {
  return words.get(waiting) ?? "nothing";
}
