import type { BufferPool } from "../core/index.js";
import type { FollowMessage, PageMessage, ReadMessage, SkippedMessage } from "../engine/index.js";
import type { Skipped } from "../gen/millrace/v1/record.js";
import { FollowResponse, ReadResponse } from "../gen/millrace/v1/record_service.js";
import { encodedFollowWaiting, encodedSkippedReason, pageAsMessage, withPrefix } from "../wire/index.js";

/** Followers at the same place share one encoded message, which lives as long as the tail keeps its page. */
const sharedMessages = new WeakMap<PageMessage, Buffer>();

/** A page is a response without its position: frames are mostly sent without a copy (docs/architecture.md, "Out"). */
export function encodePage(page: PageMessage): Buffer {
  if (page.isShared !== true) return pageAsMessage(page);
  const encoded = sharedMessages.get(page) ?? pageAsMessage(page);
  sharedMessages.set(page, encoded);
  return encoded;
}

/** Returns a page's buffer to the pool, once the transport no longer reads it. */
export function giveBack(buffers: BufferPool): (message: FollowMessage) => (() => void) | undefined {
  return (message) => {
    const lent = message.kind === "page" ? message.lent : undefined;
    // The closure keeps only the buffer, not the message; the transport keeps that buffer anyway.
    return lent && (() => buffers.give(lent));
  };
}

export function encodeReadMessage(message: ReadMessage): Buffer {
  const { endOffset, next } = message;
  if (message.kind !== "page") {
    return withPrefix(ReadResponse.encode({ records: [], next, skipped: skippedOf(message), endOffset }).finish());
  }
  // The end is this reader's alone: such a message is not kept for others.
  return endOffset === undefined ? encodePage(message) : pageAsMessage(message, endOffset);
}

export function encodeFollowMessage(message: FollowMessage): Buffer {
  if (message.kind === "page") return encodePage(message);
  return withPrefix(FollowResponse.encode({ records: [], next: message.next, event: eventOf(message) }).finish());
}

/** How many records a message carries. */
export function recordsInMessage(message: FollowMessage): number {
  return message.kind === "page" ? message.records : 0;
}

function eventOf(message: Exclude<FollowMessage, { kind: "page" }>): NonNullable<FollowResponse["event"]> {
  switch (message.kind) {
    case "started":
      return {
        $case: "started",
        value: { earliestOffset: message.earliestOffset, nextOffset: message.nextOffset },
      };
    case "caught-up":
      return { $case: "caughtUp", value: {} };
    case "fell-behind":
      return { $case: "fellBehind", value: { lag: message.lag } };
    case "skipped":
      return { $case: "skipped", value: skippedOf(message) };
    case "heartbeat":
      return {
        $case: "heartbeat",
        value: { nextOffset: message.nextOffset, waiting: encodedFollowWaiting[message.waiting] },
      };
    case "closed":
      return { $case: "closed", value: {} };
    default:
      throw message satisfies never;
  }
}

function skippedOf({ firstOffset, nextOffset, reason }: SkippedMessage): Skipped {
  return { firstOffset, nextOffset, reason: encodedSkippedReason[reason] };
}
