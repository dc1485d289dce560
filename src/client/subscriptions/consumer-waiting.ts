import { ConsumeResponse_Heartbeat_Waiting as Waiting } from "../../gen/millrace/v1/subscription_service.js";

/** What deliveries to a consumer wait for; "nothing": records are about to be sent. */
export type ConsumerWaiting =
  | "nothing"
  | "caught-up"
  | "window-full-records"
  | "window-full-bytes"
  | "paused"
  | "retry-backlog-full"
  | "keys-busy"
  | "other-consumers"
  | "database"
  | "retry-delay"
  | "transport-blocked"
  | "node-budget";

const waitingNames = new Map<Waiting, ConsumerWaiting>([
  [Waiting.CAUGHT_UP, "caught-up"],
  [Waiting.WINDOW_FULL_RECORDS, "window-full-records"],
  [Waiting.WINDOW_FULL_BYTES, "window-full-bytes"],
  [Waiting.PAUSED, "paused"],
  [Waiting.RETRY_BACKLOG_FULL, "retry-backlog-full"],
  [Waiting.KEYS_BUSY, "keys-busy"],
  [Waiting.OTHER_CONSUMERS, "other-consumers"],
  [Waiting.DATABASE, "database"],
  [Waiting.RETRY_DELAY, "retry-delay"],
  [Waiting.TRANSPORT_BLOCKED, "transport-blocked"],
  [Waiting.NODE_BUDGET, "node-budget"],
]);

export function waitingOf(waiting: Waiting): ConsumerWaiting {
  return waitingNames.get(waiting) ?? "nothing";
}
