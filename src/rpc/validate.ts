/**
 * Checks of request values that Protobuf's types do not restrict. Errors name the field as written in proto (invariant
 * 7). 64-bit numbers need no check: they are unsigned, and their decoder refuses values above 2^53-1 (`request.ts`).
 */

import {
  deliveryBounds,
  invalidArgument,
  labelBounds,
  pageSizeBounds,
  producerIdBytes,
  recordBounds,
} from "../core/index.js";
import type { Timestamp } from "../gen/google/protobuf/timestamp.js";
import { type Filter, parseFilter } from "../filter/index.js";

/** Years 1 to 9999, the range of google.protobuf.Timestamp. */
const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;

/** A stored text must equal the sent one: invalid UTF-8 decodes as U+FFFD, and Postgres refuses U+0000 (22021). */
const unstorable = ["\u0000", "\uFFFD"];

/** A page's size, from 1 to 1000; 0 means the default. */
export function pageSize(value: number): number {
  if (value < 0 || value > pageSizeBounds.max) {
    throw invalidArgument("page_size", `must be from 0 to ${pageSizeBounds.max}, got ${value}`);
  }
  return value === 0 ? pageSizeBounds.initial : value;
}

/**
 * A time in microseconds since 1970, rounded up: stamps have microseconds, so "at or after" selects the same records.
 */
export function timeMicros(time: Timestamp, field: string): number {
  if (time.seconds < secondsMin || time.seconds > secondsMax) {
    throw invalidArgument(`${field}.seconds`, "must be from year 1 to year 9999");
  }
  if (time.nanos < 0 || time.nanos > 999_999_999) {
    throw invalidArgument(`${field}.nanos`, `must be from 0 to 999999999, got ${time.nanos}`);
  }
  // Microseconds are exact until the year 2255; no record is later.
  return Math.min(time.seconds * 1_000_000 + Math.ceil(time.nanos / 1000), Number.MAX_SAFE_INTEGER);
}

/** The meaning of an enum's number. `meanings` has the valid numbers; generated decoders pass unknown ones on. */
export function enumMeaning<Meaning>(meanings: ReadonlyMap<number, Meaning>, value: number, field: string): Meaning {
  const meaning = meanings.get(value);
  if (meaning === undefined) {
    throw invalidArgument(field, `has no value ${value}; the known values are ${[...meanings.keys()].join(", ")}`);
  }
  return meaning;
}

export function checkLabels(labels: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const { count, nameBytes, valueBytes } = labelBounds;
  if (labels.size > count) throw invalidArgument("labels", `at most ${count} are allowed, got ${labels.size}`);
  for (const [name, value] of labels) {
    if (name === "") throw invalidArgument("labels", "a name must not be empty");
    checkText(name, nameBytes, { field: "labels", what: "a name" });
    checkText(value, valueBytes, { field: "labels", what: "a value" });
  }
  return labels;
}

export function checkProducerId(id: string): string {
  if (id === "") throw invalidArgument("producer.id", "is required");
  checkText(id, producerIdBytes, { field: "producer.id", what: "it" });
  return id;
}

export function checkConsumerName(name: string): string {
  checkText(name, deliveryBounds.consumerNameBytes, { field: "consumer", what: "it" });
  return name;
}

/** The reason of a rejection or a parking. It may quote any text, so U+FFFD is allowed. */
export function checkReason(reason: string, field: string): string {
  const bytes = Buffer.byteLength(reason);
  const { reasonBytes } = deliveryBounds;
  if (bytes > reasonBytes) throw invalidArgument(field, `has ${bytes} bytes, at most ${reasonBytes} are allowed`);
  if (reason.includes("\0")) throw invalidArgument(field, "must not contain U+0000");
  return reason;
}

function checkText(
  text: string,
  bytesMax: number,
  { field, what }: { readonly field: string; readonly what: string },
): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax) throw invalidArgument(field, `${what} has ${bytes} bytes, at most ${bytesMax} are allowed`);
  if (unstorable.some((character) => text.includes(character)))
    throw invalidArgument(field, `${what} must be UTF-8 without U+0000 and U+FFFD`);
}

/** The filter of a CEL expression; undefined for an empty one, which selects all records. */
export function optionalFilter(text: string): Filter | undefined {
  return text === "" ? undefined : parseFilter(text);
}

/** A key or a prefix of keys. Refuses what no record's key can have, before the database is asked. */
export function checkKeyPart(field: string, text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes > recordBounds.keyBytes) {
    throw invalidArgument(field, `must be at most ${recordBounds.keyBytes} bytes, got ${bytes}`);
  }
  if (text.includes("\0")) throw invalidArgument(field, "must not contain U+0000");
  return text;
}
