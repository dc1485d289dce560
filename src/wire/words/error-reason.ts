import type { ErrorCode } from "../../core/index.js";

/** `google.rpc.ErrorInfo.reason` of an error: `TOPIC_NOT_FOUND` for `topic-not-found`. */
export function errorReason(code: ErrorCode): string {
  return code.toUpperCase().replaceAll("-", "_");
}
