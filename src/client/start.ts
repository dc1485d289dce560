import { invalidArgument, type Position } from "../core/index.js";
import type { Start as StartMessage } from "../gen/millrace/v1/record.js";
import { type Timestamp, timestampOfDate } from "../wire/index.js";
import { errorOfRefusal } from "./client-error.js";

/** Where reading starts. Times are compared with the server's stamp. */
export type Start =
  /** The oldest record that is kept. */
  | "earliest"
  /** The end: only new records. */
  | "latest"
  /** The position of an earlier read; refused if the topic was deleted and created again since. */
  | { readonly position: Position }
  | { readonly offset: number }
  /** The first record stamped at this time or later. */
  | { readonly time: Date | Timestamp }
  /** The newest `last` records. */
  | { readonly last: number };

/** Where a finite read stops before the end. */
export type Until = { readonly offset: number } | { readonly time: Date | Timestamp };

export function startMessage(start: Start): StartMessage {
  return { at: startCase(start) };
}

function startCase(start: Start): StartMessage["at"] {
  if (start === "earliest" || start === "latest") return { $case: start, value: {} };
  if ("position" in start) return { $case: "position", value: positionMessage(start.position) };
  if ("offset" in start) return { $case: "offset", value: wholeNumber(start.offset, "start.offset") };
  if ("time" in start) return { $case: "time", value: exactTime(start.time) };
  return { $case: "last", value: wholeNumber(start.last, "start.last") };
}

/** Refuses values that our uint64 fields cannot hold: the encoder would fail on them with an unclear error. */
export function wholeNumber(value: number, field: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw errorOfRefusal(invalidArgument(field, `must be a whole number from 0 to 2^53-1, got ${value}`));
}

function positionMessage({ epoch, offset }: Position): Position {
  return { epoch: wholeNumber(epoch, "start.position.epoch"), offset: wholeNumber(offset, "start.position.offset") };
}

export function exactTime(time: Date | Timestamp): Timestamp {
  return time instanceof Date ? timestampOfDate(time) : time;
}
