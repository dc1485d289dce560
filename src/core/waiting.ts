/** What streams and consumers wait for. The engine and the transport say it, and reports and heartbeats bring it to clients. */

/** What a live stream waits for; "nothing" while it is running. */
export type LiveStreamWaiting =
  | "nothing"
  | "client-window"
  | "database"
  | "new-records"
  | "client-message"
  | "publish-budget";

/** What a follow waits for, in its heartbeats. */
export type FollowWaiting = Extract<LiveStreamWaiting, "new-records" | "database">;

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
  /** Never in a heartbeat. */
  | "transport-blocked"
  | "node-budget";
