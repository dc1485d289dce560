import { Option } from "commander";
import type { Position, Start, Timestamp, Until } from "../client/index.js";
import { CommandError } from "./output.js";

/** The forms of a start, for help texts. */
const startForms =
  "earliest, latest, OFFSET, EPOCH:OFFSET (a position), last:N, or a time such as 2026-05-01T12:00:00Z";

/** `--start` of the commands that begin somewhere in a log. `only`: what it is for; `initial`: the default. */
export function startOption({ only, initial }: { readonly only?: string; readonly initial?: string } = {}): Option {
  const before = only === undefined ? "" : `${only}: `;
  const behind = initial === undefined ? "" : ` (default: ${initial})`;
  return new Option("--start <start>", `${before}${startForms}${behind}`).argParser(parseStart);
}

/** `--until` of the commands that end somewhere in a log. `only`: what it is for. */
export function untilOption({ only }: { readonly only?: string } = {}): Option {
  const before = only === undefined ? "" : `${only}: `;
  return new Option("--until <place>", `${before}stop before this OFFSET or time (default: the end)`).argParser(
    parseUntil,
  );
}

/** Reads `--start`. */
export function parseStart(text: string): Start {
  if (text === "earliest" || text === "latest") return text;
  const last = /^last:(\d+)$/.exec(text)?.[1];
  if (last !== undefined) return { last: safe(last, "--start") };
  const position = readPosition(text);
  if (position !== undefined) return { position };
  const place = parsePlace(text, "--start");
  if (place !== undefined) return place;
  throw new CommandError(`--start: must be ${startForms}; got ${JSON.stringify(text)}`, 2);
}

/** `--position` of the commands that can be resumed. */
export function positionOption(): Option {
  return new Option("--position", "print at the end, on standard error, where to resume (for --start)");
}

/** Reads a `--start` that only takes a position. */
export function parsePosition(text: string): Position {
  const position = readPosition(text);
  if (position !== undefined) return position;
  throw new CommandError(`--start: must be EPOCH:OFFSET (a position); got ${JSON.stringify(text)}`, 2);
}

function readPosition(text: string): Position | undefined {
  const [, epoch, offset] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (epoch === undefined || offset === undefined) return undefined;
  return { epoch: safe(epoch, "--start"), offset: safe(offset, "--start") };
}

/** Reads `--until`. */
export function parseUntil(text: string): Until {
  const place = parsePlace(text, "--until");
  if (place !== undefined) return place;
  throw new CommandError(
    `--until: must be OFFSET or a time such as 2026-05-01T12:00:00Z; got ${JSON.stringify(text)}`,
    2,
  );
}

function parsePlace(text: string, name: string): Until | undefined {
  if (/^\d+$/.test(text)) return { offset: safe(text, name) };
  const time = parseTime(text);
  return time === undefined ? undefined : { time };
}

function safe(digits: string, name: string): number {
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value;
  throw new CommandError(`${name}: ${digits} is above 2^53-1`, 2);
}

/** RFC 3339, or a date alone (midnight UTC), to the nanosecond. */
function parseTime(text: string): Timestamp | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d))?$/.exec(text);
  if (match === null) return undefined;
  const [, date = "", clock = "00:00:00", fraction = "", zone = "Z"] = match;
  const ms = Date.parse(`${date}T${clock}${zone.toUpperCase()}`);
  if (Number.isNaN(ms)) return undefined;
  return { seconds: ms / 1000, nanos: Number(fraction.padEnd(9, "0")) };
}
