/**
 * `google.protobuf.Struct` as plain JSON values. The generated decoder makes a wrapper object for every value and loses the
 * name `__proto__`. This one builds the value directly, and sets that name as an own property, as JSON.parse does.
 */

import { decodeText } from "./decode-text.js";
import { type ByteCursor, readVarint, skipVarint, WireType } from "./varint.js";

/** A JSON value. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
/** A JSON object. */
export interface JsonObject {
  [name: string]: JsonValue;
}

/** An object with these names; `__proto__` is a name like any other. */
export function jsonOfMap(map: ReadonlyMap<string, string>): JsonObject {
  const object = Object.create(null) as JsonObject;
  for (const [name, value] of map) object[name] = value;
  return object;
}

/** The limit of Protobuf readers in other languages. The server refuses records nested deeper than 80. */
const depthMax = 100;

/** A place in a message. */
export interface BufferCursor extends ByteCursor {
  readonly bytes: Buffer;
}

/** Decodes a Struct in `bytes[start, end)`. Throws a RangeError when it is no Struct. */
export function decodeStruct(bytes: Buffer, start: number, end: number): JsonObject {
  return readStruct({ bytes, at: start }, end, 1);
}

function readStruct(cursor: BufferCursor, end: number, depth: number): JsonObject {
  if (depth > depthMax) throw new RangeError(`Cannot decode JSON that is nested deeper than ${depthMax} messages`);
  const object: JsonObject = {};
  while (cursor.at < end) {
    if (cursor.bytes[cursor.at] === 0x0a) {
      cursor.at += 1;
      readEntry(cursor, enter(cursor, end), depth + 1, object);
    } else skipField(cursor, end);
  }
  return object;
}

/** Positional parameters: called once a name of a Struct. */
function readEntry(cursor: BufferCursor, end: number, depth: number, object: JsonObject): void {
  let name = "";
  let value: JsonValue = null;
  while (cursor.at < end) {
    const tag = cursor.bytes[cursor.at];
    if (tag === 0x0a) {
      cursor.at += 1;
      name = readText(cursor, end);
    } else if (tag === 0x12) {
      cursor.at += 1;
      value = readValue(cursor, enter(cursor, end), depth + 1);
    } else skipField(cursor, end);
  }
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else object[name] = value;
}

function readValue(cursor: BufferCursor, end: number, depth: number): JsonValue {
  let value: JsonValue = null;
  while (cursor.at < end) {
    const tag = cursor.bytes[cursor.at++] as number;
    switch (tag) {
      case 0x08:
        passVarint(cursor, end);
        value = null;
        break;
      case 0x11:
        if (cursor.at + 8 > end) throw truncated();
        value = cursor.bytes.readDoubleLE(cursor.at);
        cursor.at += 8;
        break;
      case 0x1a:
        value = readText(cursor, end);
        break;
      case 0x20: {
        const start = cursor.at;
        passVarint(cursor, end);
        // Any bit makes it true, however many bytes the varint has.
        value = cursor.bytes.subarray(start, cursor.at).some((byte) => (byte & 0x7f) !== 0);
        break;
      }
      case 0x2a:
        value = readStruct(cursor, enter(cursor, end), depth + 1);
        break;
      case 0x32:
        value = readList(cursor, enter(cursor, end), depth + 1);
        break;
      default:
        cursor.at -= 1;
        skipField(cursor, end);
    }
  }
  return value;
}

function readList(cursor: BufferCursor, end: number, depth: number): JsonValue[] {
  if (depth > depthMax) throw new RangeError(`Cannot decode JSON that is nested deeper than ${depthMax} messages`);
  const list: JsonValue[] = [];
  while (cursor.at < end) {
    if (cursor.bytes[cursor.at] === 0x0a) {
      cursor.at += 1;
      list.push(readValue(cursor, enter(cursor, end), depth + 1));
    } else skipField(cursor, end);
  }
  return list;
}

function readText(cursor: BufferCursor, end: number): string {
  const textEnd = enter(cursor, end);
  const text = decodeText(cursor.bytes, cursor.at, textEnd);
  cursor.at = textEnd;
  return text;
}

/** Reads the length of a length-delimited field; returns where the field ends. */
export function enter(cursor: ByteCursor, end: number): number {
  const first = cursor.bytes[cursor.at] as number;
  let length = first;
  if (first < 0x80) cursor.at += 1;
  else length = readVarint(cursor, end);
  const fieldEnd = cursor.at + length;
  if (!(length >= 0 && fieldEnd <= end)) throw truncated();
  return fieldEnd;
}

/** Moves past a field whose tag comes next: one of a later version of the API. */
export function skipField(cursor: ByteCursor, end: number): void {
  const tag = readVarint(cursor, end);
  if (tag < 8) throw truncated();
  switch (tag & 7) {
    case WireType.varint:
      passVarint(cursor, end);
      return;
    case WireType.fixed64:
      cursor.at += 8;
      break;
    case WireType.bytes:
      cursor.at = enter(cursor, end);
      return;
    case WireType.fixed32:
      cursor.at += 4;
      break;
    default:
      throw truncated();
  }
  if (cursor.at > end) throw truncated();
}

function passVarint(cursor: ByteCursor, end: number): void {
  if (!skipVarint(cursor, end)) throw truncated();
}

function truncated(): RangeError {
  return new RangeError("Cannot decode a record: it is broken, or ends before it is complete");
}
