import type { ConsumerWaiting } from "../../core/index.js";
import { ConsumeResponse_Heartbeat_Waiting as Waiting } from "../../gen/millrace/v1/subscription_service.js";
import { decodedWords } from "./decoded-words.js";

/** In heartbeats and DescribeSubscription. */
export const encodedConsumerWaiting = {
  nothing: Waiting.WAITING_UNSPECIFIED,
  "caught-up": Waiting.CAUGHT_UP,
  "window-full-records": Waiting.WINDOW_FULL_RECORDS,
  "window-full-bytes": Waiting.WINDOW_FULL_BYTES,
  paused: Waiting.PAUSED,
  "retry-backlog-full": Waiting.RETRY_BACKLOG_FULL,
  "keys-busy": Waiting.KEYS_BUSY,
  "other-consumers": Waiting.OTHER_CONSUMERS,
  database: Waiting.DATABASE,
  "retry-delay": Waiting.RETRY_DELAY,
  "transport-blocked": Waiting.TRANSPORT_BLOCKED,
  "node-budget": Waiting.NODE_BUDGET,
} as const satisfies Record<ConsumerWaiting, Waiting>;

const words = decodedWords<ConsumerWaiting>(encodedConsumerWaiting);

/** A reason that this program does not know reads as "nothing". */
export function decodeConsumerWaiting(waiting: Waiting): ConsumerWaiting {
  return words.get(waiting) ?? "nothing";
}
