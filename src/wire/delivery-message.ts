/**
 * A response of a Consume call: its records are stored frames (`repeated Record records = 1`, as in a page). Generated code
 * encodes the other fields.
 */

import { joinRuns } from "./join-runs.js";
import { prefixBytes, writePrefix } from "./length-prefix.js";

/** Puts frames and the encoded other fields into one message, behind its prefix. */
export function encodeDeliveryMessage(runs: readonly Uint8Array[], rest: Uint8Array): Buffer {
  const message = joinRuns(runs, { before: prefixBytes, behind: rest.length });
  message.set(rest, message.length - rest.length);
  return writePrefix(message);
}
