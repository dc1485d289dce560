/**
 * Checks the bytes of one record before they are stored. They are stored as the producer sent them, so everything is
 * checked that a reader's JSON or Protobuf library could fail on: wire types, lengths, UTF-8, nesting, values. One
 * malformed record would make its whole page unreadable.
 *
 * Unknown fields are refused, not kept: a later version may give them a meaning that their bytes do not fit.
 */

import { isUtf8 } from "node:buffer";
import { recordBounds } from "../core/index.js";
import { AnyTag, AttributeTag, endOfField, LocationTag, RecordTag, TimeTag } from "./record-fields.js";
import type { Timestamp } from "./timestamp.js";
import { type ByteCursor, readSignedVarint, readVarint, skipVarint, WireType } from "./varint.js";

/** What is wrong with a record: the field's path below the record, and the rule. */
export class RecordFault extends Error {
  override readonly name = "RecordFault";
  readonly path: string;

  constructor(path: string, description: string) {
    super(description);
    this.path = path;
  }
}

// Constants of this module, for speed: `decode-record.ts` says why.
const Tag = RecordTag;
const Attribute = AttributeTag;
const Place = LocationTag;
const Time = TimeTag;

/** What a producer may send with a record, as bits. */
export const sent = {
  /** A `time` or an `offset`, which the server's stamp replaces. */
  stamp: 1,
  lifetime: 2,
} as const;

/** Walks the record from the cursor to `end`, and leaves the cursor there. Returns bits of `sent`. Throws a RecordFault. */
export function scanRecord(cursor: ByteCursor, end: number): number {
  let attributes = 0;
  let bits = 0;
  let seen = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "");
    if (isSingular(tag)) {
      const field = tag >>> 3;
      // Readers disagree on a message field that occurs twice: some merge the two, some keep the last.
      if ((seen & (1 << field)) !== 0) throw new RecordFault("", `field ${field} occurs twice`);
      seen |= 1 << field;
    }
    switch (tag) {
      case Tag.key: {
        const keyEnd = enter(cursor, end, tag, "key");
        checkLength(keyEnd - cursor.at, recordBounds.keyBytes, "key");
        checkText(cursor, keyEnd, "key", false);
        break;
      }
      case Tag.attributes:
        if (++attributes > recordBounds.attributes) {
          throw new RecordFault("attributes", `at most ${recordBounds.attributes} are allowed`);
        }
        scanAttribute(cursor, enter(cursor, end, tag, "attributes"));
        break;
      case Tag.data:
        cursor.at = enter(cursor, end, tag, "data");
        break;
      case Tag.text:
        checkText(cursor, enter(cursor, end, tag, "text"), "text", true);
        break;
      case Tag.json:
        scanStruct(cursor, enter(cursor, end, tag, "json"), 1);
        break;
      case Tag.message:
        scanAny(cursor, enter(cursor, end, tag, "message"));
        break;
      case Tag.location:
        scanLocation(cursor, enter(cursor, end, tag, "location"));
        break;
      case Tag.eventTime:
        scanTimestamp(cursor, enter(cursor, end, tag, "event_time"));
        break;
      case Tag.lifetime:
        scanLifetime(cursor, enter(cursor, end, tag, "lifetime"));
        bits |= sent.lifetime;
        break;
      case Tag.time:
        bits |= sent.stamp;
        cursor.at = enter(cursor, end, tag, "time");
        break;
      case Tag.offset:
        bits |= sent.stamp;
        if (cursor.at + 8 > end) throw truncated("offset");
        cursor.at += 8;
        break;
      default:
        throw wrongTag(tag, RecordTag, "");
    }
  }
  return bits;
}

/** Whether a second occurrence of the field is refused: for all fields but attributes, and the stamp, which is left out. */
function isSingular(tag: number): boolean {
  return tag <= Tag.lifetime && tag !== Tag.attributes;
}

/**
 * Calls `keep` with the runs of a record's bytes outside its stamp. The record has passed `scanRecord`.
 *
 * Positional parameters: called once a record that has a stamp.
 */
export function withoutStamp(
  bytes: Uint8Array,
  start: number,
  end: number,
  keep: (from: number, to: number) => void,
): void {
  let runStart = start;
  let fieldEnd = start;
  for (let at = start; at < end; at = fieldEnd) {
    fieldEnd = endOfField(bytes, at);
    if (bytes[at] !== Tag.time && bytes[at] !== Tag.offset) continue;
    if (at > runStart) keep(runStart, at);
    runStart = fieldEnd;
  }
  if (end > runStart) keep(runStart, end);
}

function scanAttribute(cursor: ByteCursor, end: number): void {
  let hasName = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "attributes");
    if (tag !== Attribute.key && tag !== Attribute.value) throw wrongTag(tag, Attribute, "attributes");
    const textEnd = enter(cursor, end, tag, "attributes");
    const length = textEnd - cursor.at;
    const isName = tag === Attribute.key;
    const path = isName ? "attributes.key" : "attributes.value";
    checkLength(length, isName ? recordBounds.attributeNameBytes : recordBounds.attributeValueBytes, path);
    if (isName) hasName = length > 0;
    checkText(cursor, textEnd, path, false);
  }
  if (!hasName) throw new RecordFault("attributes.key", "must not be empty");
}

function scanStruct(cursor: ByteCursor, end: number, depth: number): void {
  checkDepth(depth);
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "json");
    if (tag >>> 3 !== 1) throw new RecordFault("json", `field ${tag >>> 3} is unknown`);
    scanStructEntry(cursor, enter(cursor, end, tag, "json"), depth + 1);
  }
}

function scanStructEntry(cursor: ByteCursor, end: number, depth: number): void {
  checkDepth(depth);
  let hasValue = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "json");
    const field = tag >>> 3;
    const fieldEnd = enter(cursor, end, tag, "json");
    if (field === 1) checkText(cursor, fieldEnd, "json", true);
    else if (field === 2) {
      scanValue(cursor, fieldEnd, depth + 1);
      hasValue = true;
    } else throw new RecordFault("json", `field ${field} is unknown`);
  }
  if (!hasValue) throw valueWithoutKind();
}

function scanValue(cursor: ByteCursor, end: number, depth: number): void {
  checkDepth(depth);
  let hasKind = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "json");
    hasKind = true;
    switch (tag >>> 3) {
      case 1:
      case 4:
        expectType(tag, WireType.varint, "json");
        if (!skipVarint(cursor, end)) throw truncated("json");
        break;
      case 2:
        if (!Number.isFinite(readDouble(cursor, end, tag, "json"))) {
          throw new RecordFault("json", "numbers must be finite: JSON has no NaN and no infinity");
        }
        break;
      case 3:
        checkText(cursor, enter(cursor, end, tag, "json"), "json", true);
        break;
      case 5:
        scanStruct(cursor, enter(cursor, end, tag, "json"), depth + 1);
        break;
      case 6:
        scanList(cursor, enter(cursor, end, tag, "json"), depth + 1);
        break;
      default:
        throw new RecordFault("json", `field ${tag >>> 3} is unknown`);
    }
  }
  if (!hasKind) throw valueWithoutKind();
}

function scanList(cursor: ByteCursor, end: number, depth: number): void {
  checkDepth(depth);
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "json");
    if (tag >>> 3 !== 1) throw new RecordFault("json", `field ${tag >>> 3} is unknown`);
    scanValue(cursor, enter(cursor, end, tag, "json"), depth + 1);
  }
}

function scanAny(cursor: ByteCursor, end: number): void {
  let hasType = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "message");
    if (tag !== AnyTag.typeUrl && tag !== AnyTag.value) throw wrongTag(tag, AnyTag, "message");
    const fieldEnd = enter(cursor, end, tag, "message");
    if (tag === AnyTag.typeUrl) {
      hasType = fieldEnd > cursor.at;
      checkText(cursor, fieldEnd, "message.type_url", false);
    } else cursor.at = fieldEnd;
  }
  if (!hasType) throw new RecordFault("message.type_url", "is required");
}

function scanLocation(cursor: ByteCursor, end: number): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "location");
    if (tag !== Place.latitude && tag !== Place.longitude) throw wrongTag(tag, Place, "location");
    const [path, max] =
      tag === Place.latitude ? (["location.latitude", 90] as const) : (["location.longitude", 180] as const);
    const degrees = readDouble(cursor, end, tag, path);
    // Written so that NaN fails too.
    if (!(Math.abs(degrees) <= max)) throw new RecordFault(path, `must be from -${max} to ${max}, got ${degrees}`);
  }
}

/** Year 1 to 9999, as google.protobuf.Timestamp has it: JSON cannot show others. */
function scanTimestamp(cursor: ByteCursor, end: number): void {
  const { seconds } = scanTime(cursor, end, "event_time");
  if (!(seconds >= -62_135_596_800 && seconds <= 253_402_300_799)) {
    throw new RecordFault("event_time.seconds", "must be from year 1 to year 9999");
  }
}

/** More than 0, and at most `recordBounds.lifetimeSeconds`. */
function scanLifetime(cursor: ByteCursor, end: number): void {
  const { seconds, nanos } = scanTime(cursor, end, "lifetime");
  const secondsMax = recordBounds.lifetimeSeconds;
  // Written so that NaN fails too.
  if (!(seconds >= 0 && seconds + nanos > 0 && (nanos === 0 ? seconds : seconds + 1) <= secondsMax)) {
    throw new RecordFault("lifetime", `must be more than 0, and at most 100 years (${secondsMax} seconds)`);
  }
}

/** Reads a Timestamp or a Duration. Seconds beyond 2^53 are NaN. */
function scanTime(cursor: ByteCursor, end: number, path: string): Timestamp {
  let seconds = 0;
  let nanos = 0;
  while (cursor.at < end && !Number.isNaN(seconds + nanos)) {
    const tag = readTag(cursor, end, path);
    if (tag !== Time.seconds && tag !== Time.nanos) throw wrongTag(tag, Time, path);
    const value = readSignedVarint(cursor, end);
    if (tag === Time.seconds) seconds = value;
    else nanos = value;
  }
  if (!(nanos >= 0 && nanos <= 999_999_999)) throw new RecordFault(`${path}.nanos`, "must be from 0 to 999999999");
  return { seconds, nanos };
}

function readTag(cursor: ByteCursor, end: number, path: string): number {
  const start = cursor.at;
  const tag = readVarint(cursor, end);
  // The tags of all known fields are one byte, and readers look for that byte.
  if (tag < 0x80 && cursor.at - start > 1) throw new RecordFault(path, "has a tag that is longer than necessary");
  // Field numbers end at 2^29 - 1, so a tag is below 2^32; the lowest is 1.
  if (tag < 8 || tag > 0xffff_ffff) throw new RecordFault(path, "is not a Protobuf message");
  return tag;
}

/**
 * Reads the length of a length-delimited field. Returns where the field ends; this is within its message.
 *
 * Positional parameters: called once a field of a record.
 */
function enter(cursor: ByteCursor, end: number, tag: number, path: string): number {
  expectType(tag, WireType.bytes, path);
  const length = readVarint(cursor, end);
  if (length < 0 || cursor.at + length > end) throw truncated(path);
  return cursor.at + length;
}

/** The fault of a tag that is not among `tags`: an unknown field, or a known one with another wire type. */
function wrongTag(tag: number, tags: { readonly [name: string]: number }, path: string): RecordFault {
  const [name, own] = Object.entries(tags).find(([, each]) => each >>> 3 === tag >>> 3) ?? [];
  if (name === undefined) return new RecordFault(path, `field ${tag >>> 3} is unknown to this server`);
  // As the proto spells it.
  const field = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return new RecordFault(path === "" ? field : `${path}.${field}`, wrongType(tag, own));
}

function expectType(tag: number, type: number, path: string): void {
  if ((tag & 7) !== type) throw new RecordFault(path, wrongType(tag, type));
}

function wrongType(tag: number, expected = 0): string {
  return `has wire type ${tag & 7}, expected ${expected & 7}`;
}

/** Positional parameters: called once a number of a record. */
function readDouble(cursor: ByteCursor, end: number, tag: number, path: string): number {
  expectType(tag, WireType.fixed64, path);
  if (cursor.at + 8 > end) throw truncated(path);
  const view = new DataView(cursor.bytes.buffer, cursor.bytes.byteOffset + cursor.at, 8);
  cursor.at += 8;
  return view.getFloat64(0, true);
}

/**
 * Checks UTF-8, and U+0000 where Postgres stores the text as text (it refuses this character: SQLSTATE 22021).
 *
 * Positional parameters: called once a text of a record.
 */
function checkText(cursor: ByteCursor, end: number, path: string, allowsNul: boolean): void {
  const { bytes, at: start } = cursor;
  cursor.at = end;
  // Most strings are short ASCII: a loop is faster than a view and a call.
  let at = start;
  if (end - start <= 64) {
    while (at < end && (bytes[at] as number) < 0x80 && (bytes[at] !== 0 || allowsNul)) at++;
    if (at === end) return;
  }
  const text = bytes.subarray(start, end);
  if (!isUtf8(text)) throw new RecordFault(path, "must be valid UTF-8");
  if (!allowsNul && text.includes(0)) throw new RecordFault(path, "must not contain U+0000");
}

function checkDepth(depth: number): void {
  if (depth > recordBounds.bodyDepth) {
    throw new RecordFault(
      "json",
      `is nested too deep: at most ${recordBounds.bodyDepth} messages (three for each object, two for each list)`,
    );
  }
}

function checkLength(length: number, max: number, path: string): void {
  if (length > max) throw new RecordFault(path, `has ${length} bytes, at most ${max} are allowed`);
}

function truncated(path: string): RecordFault {
  return new RecordFault(path, "ends before it is complete");
}

function valueWithoutKind(): RecordFault {
  return new RecordFault("json", "every value must have a kind (null_value for null)");
}
