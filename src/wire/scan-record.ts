/**
 * Checks the bytes of one record before they are stored. A producer's bytes are kept as they came, so they are walked
 * first: wire types, lengths, UTF-8, nesting, and every value that a reader's JSON or Protobuf library would choke on.
 * One malformed record would poison its page for every reader (design §3).
 *
 * Unknown fields are refused, not kept: a later version may give them a meaning that their bytes do not fit.
 */

import { isUtf8 } from "node:buffer";
import { recordBounds } from "../core/index.js";
import { type Cursor, readSignedVarint, readVarint, skipVarint, WireType } from "./varint.js";

/** What is wrong with a record: the field's path below the record, and the rule. */
export class RecordFault extends Error {
  override readonly name = "RecordFault";
  readonly path: string;

  constructor(path: string, description: string) {
    super(description);
    this.path = path;
  }
}

/** Field numbers of millrace.v1.Record. `test/wire/scan-record.test.ts` holds them against the descriptor. */
const Field = {
  key: 1,
  attributes: 2,
  data: 3,
  text: 4,
  json: 5,
  message: 6,
  location: 7,
  eventTime: 8,
  lifetime: 9,
  time: 14,
  offset: 15,
} as const;

/** What a record may bring, as bits. */
export const brings = {
  /** A `time` or an `offset` of its own, which the server's stamp replaces. */
  stamp: 1,
  /** It expires some day. */
  lifetime: 2,
} as const;

/** Walks the record in `bytes[start, end)`, and notes what it `brings`. Throws a RecordFault. */
export function scanRecord(bytes: Uint8Array, start: number, end: number): number {
  const cursor: Cursor = { bytes, at: start };
  let attributes = 0;
  let brought = 0;
  let seen = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "");
    const field = tag >>> 3;
    if (isSingular(field)) {
      // Readers differ on what a message field means that comes twice: some merge the two, some keep the last.
      if ((seen & (1 << field)) !== 0) throw new RecordFault("", `field ${field} comes twice`);
      seen |= 1 << field;
    }
    switch (field) {
      case Field.key: {
        const length = enter(cursor, end, tag, "key");
        if (length > recordBounds.keyBytes) throw tooLong("key", length, recordBounds.keyBytes);
        checkText(cursor, length, "key", false);
        break;
      }
      case Field.attributes: {
        const length = enter(cursor, end, tag, "attributes");
        if (++attributes > recordBounds.attributes) {
          throw new RecordFault("attributes", `at most ${recordBounds.attributes} are allowed`);
        }
        scanAttribute(cursor, cursor.at + length);
        break;
      }
      case Field.data:
        skip(cursor, end, tag, "data");
        break;
      case Field.text:
        checkText(cursor, enter(cursor, end, tag, "text"), "text", true);
        break;
      case Field.json: {
        const length = enter(cursor, end, tag, "json");
        scanStruct(cursor, cursor.at + length, 1);
        break;
      }
      case Field.message: {
        const length = enter(cursor, end, tag, "message");
        scanAny(cursor, cursor.at + length);
        break;
      }
      case Field.location: {
        const length = enter(cursor, end, tag, "location");
        scanLocation(cursor, cursor.at + length);
        break;
      }
      case Field.eventTime: {
        const length = enter(cursor, end, tag, "event_time");
        scanTimestamp(cursor, cursor.at + length);
        break;
      }
      case Field.lifetime: {
        const length = enter(cursor, end, tag, "lifetime");
        scanLifetime(cursor, cursor.at + length);
        brought |= brings.lifetime;
        break;
      }
      case Field.time:
        brought |= brings.stamp;
        skip(cursor, end, tag, "time");
        break;
      case Field.offset:
        brought |= brings.stamp;
        expectType(tag, WireType.fixed64, "offset");
        if (cursor.at + 8 > end) throw truncated("offset");
        cursor.at += 8;
        break;
      default:
        throw new RecordFault("", `field ${field} is unknown to this server`);
    }
  }
  return brought;
}

/** The fields that a producer writes once: all but attributes, and the stamp, which is left out. */
function isSingular(field: number): boolean {
  return field <= Field.lifetime && field !== Field.attributes;
}

/** Calls back with the runs of a record's bytes that are not a stamp. The record has passed `scanRecord`. */
export function withoutStamp(
  bytes: Uint8Array,
  start: number,
  end: number,
  keep: (from: number, to: number) => void,
): void {
  const cursor: Cursor = { bytes, at: start };
  let runStart = start;
  while (cursor.at < end) {
    const fieldStart = cursor.at;
    const tag = readVarint(cursor, end);
    // A record's own fields are either length-delimited or, the offset alone, eight bytes wide.
    const length = (tag & 7) === WireType.bytes ? readVarint(cursor, end) : 8;
    cursor.at += length;
    const field = tag >>> 3;
    if (field !== Field.time && field !== Field.offset) continue;
    if (fieldStart > runStart) keep(runStart, fieldStart);
    runStart = cursor.at;
  }
  if (end > runStart) keep(runStart, end);
}

function scanAttribute(cursor: Cursor, end: number): void {
  let hasName = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "attributes");
    const field = tag >>> 3;
    if (field !== 1 && field !== 2) throw new RecordFault("attributes", `field ${field} is unknown`);
    const length = enter(cursor, end, tag, "attributes");
    const most = field === 1 ? recordBounds.attributeNameBytes : recordBounds.attributeValueBytes;
    const path = field === 1 ? "attributes.key" : "attributes.value";
    if (length > most) throw tooLong(path, length, most);
    if (field === 1) hasName = length > 0;
    checkText(cursor, length, path, false);
  }
  if (!hasName) throw new RecordFault("attributes.key", "must not be empty");
}

function scanStruct(cursor: Cursor, end: number, depth: number): void {
  checkDepth(depth);
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "json");
    if (tag >>> 3 !== 1) throw new RecordFault("json", `field ${tag >>> 3} is unknown`);
    const length = enter(cursor, end, tag, "json");
    scanStructEntry(cursor, cursor.at + length, depth + 1);
  }
}

function scanStructEntry(cursor: Cursor, end: number, depth: number): void {
  checkDepth(depth);
  let hasValue = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "json");
    const field = tag >>> 3;
    const length = enter(cursor, end, tag, "json");
    if (field === 1) checkText(cursor, length, "json", true);
    else if (field === 2) {
      scanValue(cursor, cursor.at + length, depth + 1);
      hasValue = true;
    } else throw new RecordFault("json", `field ${field} is unknown`);
  }
  if (!hasValue) throw valueWithoutKind();
}

function scanValue(cursor: Cursor, end: number, depth: number): void {
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
      case 5: {
        const length = enter(cursor, end, tag, "json");
        scanStruct(cursor, cursor.at + length, depth + 1);
        break;
      }
      case 6: {
        const length = enter(cursor, end, tag, "json");
        scanList(cursor, cursor.at + length, depth + 1);
        break;
      }
      default:
        throw new RecordFault("json", `field ${tag >>> 3} is unknown`);
    }
  }
  if (!hasKind) throw valueWithoutKind();
}

function scanList(cursor: Cursor, end: number, depth: number): void {
  checkDepth(depth);
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "json");
    if (tag >>> 3 !== 1) throw new RecordFault("json", `field ${tag >>> 3} is unknown`);
    const length = enter(cursor, end, tag, "json");
    scanValue(cursor, cursor.at + length, depth + 1);
  }
}

function scanAny(cursor: Cursor, end: number): void {
  let hasType = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "message");
    const field = tag >>> 3;
    const length = enter(cursor, end, tag, "message");
    if (field === 1) {
      hasType = length > 0;
      checkText(cursor, length, "message.type_url", false);
    } else if (field === 2) cursor.at += length;
    else throw new RecordFault("message", `field ${field} is unknown`);
  }
  if (!hasType) throw new RecordFault("message.type_url", "is required");
}

function scanLocation(cursor: Cursor, end: number): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "location");
    const field = tag >>> 3;
    if (field !== 1 && field !== 2) throw new RecordFault("location", `field ${field} is unknown`);
    const [path, most] = field === 1 ? (["location.latitude", 90] as const) : (["location.longitude", 180] as const);
    const degrees = readDouble(cursor, end, tag, path);
    // Written so that NaN fails too.
    if (!(Math.abs(degrees) <= most)) throw new RecordFault(path, `must be from -${most} to ${most}, got ${degrees}`);
  }
}

/** Year 1 to 9999, as google.protobuf.Timestamp has it: JSON cannot show others. */
function scanTimestamp(cursor: Cursor, end: number): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "event_time");
    const field = tag >>> 3;
    expectType(tag, WireType.varint, "event_time");
    const value = readSignedVarint(cursor, end);
    if (field === 1) {
      if (!(value >= -62_135_596_800 && value <= 253_402_300_799)) {
        throw new RecordFault("event_time.seconds", "must be from year 1 to year 9999");
      }
    } else if (field === 2) {
      if (!(value >= 0 && value <= 999_999_999)) {
        throw new RecordFault("event_time.nanos", "must be from 0 to 999999999");
      }
    } else throw new RecordFault("event_time", `field ${field} is unknown`);
  }
}

/** More than nothing, and at most `recordBounds.lifetimeSeconds`. */
function scanLifetime(cursor: Cursor, end: number): void {
  let seconds = 0;
  let nanos = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end, "lifetime");
    const field = tag >>> 3;
    expectType(tag, WireType.varint, "lifetime");
    const value = readSignedVarint(cursor, end);
    if (field === 1) seconds = value;
    else if (field === 2) nanos = value;
    else throw new RecordFault("lifetime", `field ${field} is unknown`);
  }
  if (!(nanos >= 0 && nanos <= 999_999_999)) throw new RecordFault("lifetime.nanos", "must be from 0 to 999999999");
  const most = recordBounds.lifetimeSeconds;
  // Written so that NaN fails too.
  if (!(seconds >= 0 && seconds + nanos > 0 && (nanos === 0 ? seconds : seconds + 1) <= most)) {
    throw new RecordFault("lifetime", `must be more than 0, and at most 100 years (${most} seconds)`);
  }
}

function readTag(cursor: Cursor, end: number, path: string): number {
  const start = cursor.at;
  const tag = readVarint(cursor, end);
  // Every field of ours fits into one byte; readers look for that byte.
  if (tag < 0x80 && cursor.at - start > 1) throw new RecordFault(path, "has a tag that is longer than it must be");
  // Field numbers end at 2^29 - 1, so a tag is below 2^32; the lowest is 1.
  if (tag < 8 || tag > 0xffff_ffff) throw new RecordFault(path, "is not a Protobuf message");
  return tag;
}

/** Reads the length of a length-delimited field and checks that it lies within its message. */
function enter(cursor: Cursor, end: number, tag: number, path: string): number {
  expectType(tag, WireType.bytes, path);
  const length = readVarint(cursor, end);
  if (length < 0 || cursor.at + length > end) throw truncated(path);
  return length;
}

function skip(cursor: Cursor, end: number, tag: number, path: string): void {
  const length = enter(cursor, end, tag, path);
  // Not `cursor.at += enter(…)`: that would add to where the cursor stood before the length was read.
  cursor.at += length;
}

function expectType(tag: number, type: number, path: string): void {
  if ((tag & 7) !== type) throw new RecordFault(path, `has wire type ${tag & 7}, expected ${type}`);
}

function readDouble(cursor: Cursor, end: number, tag: number, path: string): number {
  expectType(tag, WireType.fixed64, path);
  if (cursor.at + 8 > end) throw truncated(path);
  const view = new DataView(cursor.bytes.buffer, cursor.bytes.byteOffset + cursor.at, 8);
  cursor.at += 8;
  return view.getFloat64(0, true);
}

/** Checks UTF-8, and U+0000 where Postgres must hold the text as such (it refuses that one character: SQLSTATE 22021). */
function checkText(cursor: Cursor, length: number, path: string, allowsNul: boolean): void {
  const { bytes } = cursor;
  const start = cursor.at;
  const end = start + length;
  cursor.at = end;
  // Most strings are short and plain ASCII: a loop is faster than a view and a call for each.
  let at = start;
  if (length <= 64) {
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

function tooLong(path: string, length: number, most: number): RecordFault {
  return new RecordFault(path, `has ${length} bytes, at most ${most} are allowed`);
}

function truncated(path: string): RecordFault {
  return new RecordFault(path, "ends before it is complete");
}

function valueWithoutKind(): RecordFault {
  return new RecordFault("json", "every value must have a kind (null_value for null)");
}
