import { enter, skipField } from "./decode-struct.js";
import type { Cursor } from "./varint.js";

/** `map<string, string> attributes = 2`: an entry, and in it `key = 1` and `value = 2`. */
const entryTag = 0x12;
const nameTag = 0x0a;
const valueTag = 0x12;

/**
 * Whether a record has an attribute of this name, and, where that is given, of this value, in UTF-8: compared as bytes, for
 * whoever looks at many records and wants few. `start` is where the record begins, behind its frame's length.
 */
export function hasAttribute(
  bytes: Buffer,
  start: number,
  end: number,
  name: Uint8Array,
  value: Uint8Array | undefined,
): boolean {
  const cursor: Cursor = { bytes, at: start };
  let isFound = false;
  while (cursor.at < end) {
    if (bytes[cursor.at] !== entryTag) {
      skipField(cursor, end);
      continue;
    }
    cursor.at += 1;
    const entryEnd = enter(cursor, end);
    let isNamed = name.length === 0;
    let isEqual = value === undefined || value.length === 0;
    while (cursor.at < entryEnd) {
      const tag = bytes[cursor.at];
      if (tag !== nameTag && tag !== valueTag) {
        skipField(cursor, entryEnd);
        continue;
      }
      cursor.at += 1;
      const textEnd = enter(cursor, entryEnd);
      if (tag === nameTag) isNamed = equals(bytes, cursor.at, textEnd, name);
      else if (value !== undefined) isEqual = equals(bytes, cursor.at, textEnd, value);
      cursor.at = textEnd;
    }
    // Of a name that comes twice the last one counts, as in every map of Protobuf.
    if (isNamed) isFound = isEqual;
  }
  return isFound;
}

function equals(bytes: Buffer, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let index = 0; index < text.length; index++) if (bytes[start + index] !== text[index]) return false;
  return true;
}
