import type { ConsumeEvent, FollowEvent, ReadEvent, WatchEvent } from "../client/index.js";
import type { Output } from "./output.js";

export type TellableEvent = FollowEvent | ReadEvent | WatchEvent | ConsumeEvent;

/** Prints an event on standard error, if the user should know it. */
export function tellEvent(output: Output, event: TellableEvent): void {
  const text = eventText(event);
  if (text !== undefined) output.tell(text);
}

function eventText(event: TellableEvent): string | undefined {
  switch (event.type) {
    case "skipped": {
      const why = event.reason === "trimmed" ? "they are no longer kept" : "the output was too slow";
      return `Skipped offsets ${event.firstOffset} to ${event.nextOffset - 1}: ${why}`;
    }
    case "fell-behind":
      return `Fell behind by ${event.lag} records; catching up from the database`;
    case "reconnecting":
      return `${event.reason.code}: ${event.reason.message}. Retrying in ${event.delayMs} ms (attempt ${event.attempt})`;
    case "closed":
      return "The topic is closed";
    case "started":
    case "caught-up":
    case "snapshot-end":
    case "heartbeat":
    case "window-changed":
      return undefined;
    case "left":
      return `left: ${event.keys.join(", ")}`;
    case "reset":
      return "start over: the server no longer knows which keys were removed; the whole state follows";
    default:
      return event satisfies never;
  }
}
