/** The small messages in a record: location, times, attributes. A field that occurs twice counts as Protobuf defines it. */

import { type BufferCursor, enter, skipField } from "./decode-struct.js";
import { decodeText } from "./decode-text.js";
import { AttributeTag, LocationTag, TimeTag } from "./record-fields.js";
import type { Timestamp } from "./timestamp.js";
import { type ByteCursor, readSignedVarint } from "./varint.js";

/** A place on Earth, WGS 84, in degrees. */
export interface Location {
  readonly latitude: number;
  readonly longitude: number;
}

/** Reads a Location up to `end`. A missing field keeps its value of `before`. Throws a RangeError when it is broken. */
export function readLocation(cursor: BufferCursor, end: number, before: Location | undefined): Location {
  let { latitude, longitude } = before ?? { latitude: 0, longitude: 0 };
  while (cursor.at < end) {
    const tag = cursor.bytes[cursor.at];
    if ((tag === LocationTag.latitude || tag === LocationTag.longitude) && cursor.at + 9 <= end) {
      const degrees = cursor.bytes.readDoubleLE(cursor.at + 1);
      cursor.at += 9;
      if (tag === LocationTag.latitude) latitude = degrees;
      else longitude = degrees;
    } else skipField(cursor, end);
  }
  return { latitude, longitude };
}

/** Reads a Timestamp or a Duration in the same way. */
export function readTime(cursor: ByteCursor, end: number, before: Timestamp | undefined): Timestamp {
  let { seconds, nanos } = before ?? { seconds: 0, nanos: 0 };
  while (cursor.at < end) {
    const tag = cursor.bytes[cursor.at];
    if (tag !== TimeTag.seconds && tag !== TimeTag.nanos) {
      skipField(cursor, end);
      continue;
    }
    cursor.at += 1;
    const value = readSignedVarint(cursor, end);
    if (Number.isNaN(value)) throw new RangeError("Cannot decode a record: a time is broken");
    if (tag === TimeTag.seconds) seconds = value;
    else nanos = value;
  }
  return { seconds, nanos };
}

/** Reads one entry of the attributes into a map. */
export function readAttribute(cursor: BufferCursor, end: number, attributes: Map<string, string>): void {
  const [name, value] = readPair(cursor, end);
  attributes.set(decodeText(name, 0, name.length), decodeText(value, 0, value.length));
}

/** Reads a message of two length-delimited fields, 1 and 2. An attribute and an Any both are one. */
export function readPair(cursor: BufferCursor, end: number): [first: Buffer, second: Buffer] {
  const { bytes } = cursor;
  let first = bytes.subarray(end, end);
  let second = first;
  while (cursor.at < end) {
    const tag = bytes[cursor.at];
    if (tag !== AttributeTag.key && tag !== AttributeTag.value) {
      skipField(cursor, end);
      continue;
    }
    cursor.at += 1;
    const fieldEnd = enter(cursor, end);
    const field = bytes.subarray(cursor.at, fieldEnd);
    cursor.at = fieldEnd;
    if (tag === AttributeTag.key) first = field;
    else second = field;
  }
  return [first, second];
}
