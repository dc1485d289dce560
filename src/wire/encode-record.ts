/** Encodes the records that a client sends, by hand in one pass. Refuses every value that would not arrive unchanged. */

import { invalidArgument, recordBounds } from "../core/index.js";
import type { BackwardWriter } from "./backward-writer.js";
import type { Location } from "./decode-parts.js";
import type { AnyMessage } from "./decode-record.js";
import { durationOfMs } from "./duration.js";
import { notWellFormed, writeStruct } from "./encode-struct.js";
import { AnyTag, AttributeTag, LocationTag, RecordTag, TimeTag } from "./record-fields.js";
import { type Timestamp, timestampOfDate } from "./timestamp.js";

/**
 * A record to publish. Its body is at most one of `data`, `text`, `json` and `message`. A record that was read can be
 * published too: it gets a new `offset` and `time`.
 */
export interface RecordInput {
  /** What it is about: at most 1024 bytes of UTF-8 without U+0000. */
  readonly key?: string | undefined;
  /** At most 100; a name has 1 to 256 bytes, a value at most 4096. */
  readonly attributes?: ReadonlyMap<string, string> | { readonly [name: string]: string } | undefined;
  /** Any bytes. */
  readonly data?: Uint8Array | undefined;
  readonly text?: string | undefined;
  /** An object as JSON.stringify takes it: undefined values are left out, `toJSON` is called. */
  readonly json?: object | undefined;
  /** A Protobuf message with its type. */
  readonly message?: AnyMessage | undefined;
  readonly location?: Location | undefined;
  /** When it happened, by your clock. */
  readonly eventTime?: Date | undefined;
  /** The same to the nanosecond. It takes precedence over `eventTime`. */
  readonly eventTimestamp?: Timestamp | undefined;
  /**
   * Its lifetime in milliseconds, counted from when the server takes it. After that, no reader gets it. More than 0, to the
   * microsecond, at most 100 years. Unset: as long as the topic keeps it.
   */
  readonly lifetimeMs?: number | undefined;
}

/** Year 1 to 9999, as google.protobuf.Timestamp has it. */
const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;

/**
 * Writes one record, without a tag or a length before it. Throws a MillraceError "invalid-argument" that names the field,
 * prefixed with `path`; clear the writer then.
 */
export function writeRecord(writer: BackwardWriter, record: RecordInput, path: string): void {
  if (record.lifetimeMs !== undefined) writeLifetime(writer, record.lifetimeMs, `${path}.lifetime`);
  const eventTime = record.eventTimestamp ?? (record.eventTime && timestampOfDate(record.eventTime));
  if (eventTime !== undefined) writeTimestamp(writer, eventTime, `${path}.event_time`);
  if (record.location !== undefined) writeLocation(writer, record.location, `${path}.location`);
  writeBody(writer, record, path);
  if (record.attributes !== undefined) writeAttributes(writer, record.attributes, `${path}.attributes`);
  const { key } = record;
  if (key !== undefined && key !== "") {
    const length = writePlainText(writer, key, `${path}.key`, recordBounds.keyBytes);
    finish(writer, length, RecordTag.key);
  }
}

/** Writes a field's length and tag in front of its contents. */
function finish(writer: BackwardWriter, length: number, tag: number): void {
  writer.varint(length);
  writer.byte(tag);
}

function writeBody(writer: BackwardWriter, record: RecordInput, path: string): void {
  const { data, text, json, message } = record;
  let bodies = 0;
  const start = writer.length;
  if (data !== undefined) {
    bodies += 1;
    if (!(data instanceof Uint8Array)) throw invalidArgument(`${path}.data`, "must be a Uint8Array");
    writer.bytes(data);
    finish(writer, writer.length - start, RecordTag.data);
  }
  if (text !== undefined) {
    bodies += 1;
    if (typeof text !== "string") throw invalidArgument(`${path}.text`, "must be a string");
    if (!text.isWellFormed()) throw invalidArgument(`${path}.text`, `is a text ${notWellFormed}`);
    writer.text(text);
    finish(writer, writer.length - start, RecordTag.text);
  }
  if (json !== undefined) {
    bodies += 1;
    checkObject(json, `${path}.json`);
    writeStruct(writer, json, `${path}.json`);
    finish(writer, writer.length - start, RecordTag.json);
  }
  if (message !== undefined) {
    bodies += 1;
    writeAny(writer, message, `${path}.message`);
    finish(writer, writer.length - start, RecordTag.message);
  }
  if (bodies > 1) throw invalidArgument(path, "has more than one body: choose one of data, text, json, message");
}

function checkObject(json: unknown, path: string): void {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return;
  throw invalidArgument(
    path,
    `must be an object, got ${json === null ? "null" : Array.isArray(json) ? "a list" : typeof json}`,
  );
}

function writeAny(writer: BackwardWriter, { typeUrl, value }: AnyMessage, path: string): void {
  if (typeUrl === "") throw invalidArgument(`${path}.type_url`, "is required");
  const start = writer.length;
  writer.bytes(value);
  finish(writer, writer.length - start, AnyTag.value);
  const urlStart = writer.length;
  writePlainText(writer, typeUrl, `${path}.type_url`, Number.MAX_SAFE_INTEGER);
  finish(writer, writer.length - urlStart, AnyTag.typeUrl);
}

function writeAttributes(
  writer: BackwardWriter,
  attributes: NonNullable<RecordInput["attributes"]>,
  path: string,
): void {
  const entries = attributes instanceof Map ? [...attributes] : Object.entries(attributes);
  if (entries.length > recordBounds.attributes) {
    throw invalidArgument(path, `at most ${recordBounds.attributes} are allowed, got ${entries.length}`);
  }
  for (const [name, value] of entries.reverse()) {
    const start = writer.length;
    finish(
      writer,
      writePlainText(writer, value, `${path}.value`, recordBounds.attributeValueBytes),
      AttributeTag.value,
    );
    if (name === "") throw invalidArgument(`${path}.key`, "must not be empty");
    finish(writer, writePlainText(writer, name, `${path}.key`, recordBounds.attributeNameBytes), AttributeTag.key);
    finish(writer, writer.length - start, RecordTag.attributes);
  }
}

function writeLocation(writer: BackwardWriter, { latitude, longitude }: Location, path: string): void {
  // Written so that NaN fails too.
  if (!(Math.abs(latitude) <= 90)) throw invalidArgument(`${path}.latitude`, `must be from -90 to 90, got ${latitude}`);
  if (!(Math.abs(longitude) <= 180)) {
    throw invalidArgument(`${path}.longitude`, `must be from -180 to 180, got ${longitude}`);
  }
  const start = writer.length;
  writer.double(longitude);
  writer.byte(LocationTag.longitude);
  writer.double(latitude);
  writer.byte(LocationTag.latitude);
  finish(writer, writer.length - start, RecordTag.location);
}

function writeTimestamp(writer: BackwardWriter, { seconds, nanos }: Timestamp, path: string): void {
  if (!(Number.isSafeInteger(seconds) && seconds >= secondsMin && seconds <= secondsMax)) {
    throw invalidArgument(path, "must be a time from year 1 to year 9999");
  }
  if (!(Number.isSafeInteger(nanos) && nanos >= 0 && nanos <= 999_999_999)) {
    throw invalidArgument(`${path}.nanos`, `must be from 0 to 999999999, got ${nanos}`);
  }
  const start = writer.length;
  if (nanos !== 0) {
    writer.varint(nanos);
    writer.byte(TimeTag.nanos);
  }
  writer.signedVarint(seconds);
  writer.byte(TimeTag.seconds);
  finish(writer, writer.length - start, RecordTag.eventTime);
}

function writeLifetime(writer: BackwardWriter, lifetimeMs: number, path: string): void {
  const msMax = recordBounds.lifetimeSeconds * 1000;
  // Half a microsecond is rounded up. Written so that NaN fails too.
  if (!(lifetimeMs >= 0.0005 && lifetimeMs <= msMax)) {
    throw invalidArgument(path, `must be more than 0, and at most 100 years (${msMax} ms), got ${lifetimeMs} ms`);
  }
  const { seconds, nanos } = durationOfMs(lifetimeMs);
  const start = writer.length;
  writer.varint(nanos);
  writer.byte(TimeTag.nanos);
  writer.varint(seconds);
  writer.byte(TimeTag.seconds);
  finish(writer, writer.length - start, RecordTag.lifetime);
}

/**
 * Writes a text that Postgres must store as text; returns its number of bytes.
 *
 * Positional parameters: called for each key and attribute of a record.
 */
function writePlainText(writer: BackwardWriter, text: string, path: string, bytesMax: number): number {
  if (typeof text !== "string") throw invalidArgument(path, `must be a string, got ${typeof text}`);
  if (!text.isWellFormed()) throw invalidArgument(path, `is a text ${notWellFormed}`);
  if (text.includes("\u0000")) throw invalidArgument(path, "must not contain U+0000");
  const start = writer.length;
  writer.text(text);
  const length = writer.length - start;
  if (length > bytesMax) throw invalidArgument(path, `has ${length} bytes, at most ${bytesMax} are allowed`);
  return length;
}
