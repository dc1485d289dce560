import { invalidArgument, type Start, type Until } from "../core/index.js";
import type { FollowCommand, ReadCommand } from "../engine/index.js";
import type { Start as StartMessage } from "../gen/millrace/v1/record.js";
import type { FollowRequest, ReadRequest, ReadRequest_Until } from "../gen/millrace/v1/record_service.js";
import { decodedDirection, decodedWhenBehind, decodedWhenTrimmed, positionOf } from "../wire/index.js";
import { enumMeaning, optionalFilter, timeMicros } from "./validate.js";

export function decodeRead(request: ReadRequest, topic: string): ReadCommand {
  return {
    topic,
    start: decodeStart(request.start),
    direction: enumMeaning(decodedDirection, request.direction, "direction"),
    until: decodeUntil(request.until),
    limit: request.limit,
    whenTrimmed: enumMeaning(decodedWhenTrimmed, request.whenTrimmed, "when_trimmed"),
    filter: optionalFilter(request.filter),
  };
}

export function decodeFollow(request: FollowRequest, topic: string): FollowCommand {
  return {
    topic,
    start: decodeStart(request.start),
    whenBehind: enumMeaning(decodedWhenBehind, request.whenBehind, "when_behind"),
    whenTrimmed: enumMeaning(decodedWhenTrimmed, request.whenTrimmed, "when_trimmed"),
    filter: optionalFilter(request.filter),
  };
}

/** The field is called `start` in every request. */
export function decodeStart(message: StartMessage | undefined): Start | undefined {
  const start = message?.at;
  if (start === undefined) return undefined;
  switch (start.$case) {
    case "earliest":
    case "latest":
      return { at: start.$case };
    case "position":
      return { at: "position", position: positionOf(start.value) };
    case "offset":
      return { at: "offset", offset: start.value };
    case "time":
      return { at: "time", timeMicros: timeMicros(start.value, "start.time") };
    case "last":
      if (start.value === 0) throw invalidArgument("start.last", "must be at least 1");
      return { at: "last", count: start.value };
    default:
      throw start satisfies never;
  }
}

function decodeUntil(message: ReadRequest_Until | undefined): Until {
  const until = message?.at;
  if (until === undefined) return { at: "end" };
  switch (until.$case) {
    case "offset":
      return { at: "offset", offset: until.value };
    case "time":
      return { at: "time", timeMicros: timeMicros(until.value, "until.time") };
    default:
      throw until satisfies never;
  }
}
