/** Finds the values of one field in an encoded request, without decoding the rest. */

import { invalidArgument } from "../core/index.js";
import { type ByteCursor, readVarint, skipVarint, WireType } from "./varint.js";

/** A length-delimited field, and how often it may occur. */
export interface SplitField {
  readonly name: string;
  readonly number: number;
  readonly countMax: number;
}

/** Splits a request into the values of one field, as views in their order, and the rest, for the generated decoder. */
export function splitField(
  bytes: Uint8Array,
  { name, number, countMax }: SplitField,
): { readonly values: readonly Uint8Array[]; readonly rest: Uint8Array } {
  const cursor: ByteCursor = { bytes, at: 0 };
  const values: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  let runStart = 0;
  while (cursor.at < bytes.length) {
    const start = cursor.at;
    const tag = readVarint(cursor, bytes.length);
    if (tag !== number * 8 + WireType.bytes) {
      skipValue(cursor, tag, bytes.length);
      continue;
    }
    const length = readVarint(cursor, bytes.length);
    if (length < 0 || cursor.at + length > bytes.length) throw brokenRequest();
    if (values.length === countMax) throw invalidArgument(name, `at most ${countMax} are allowed`);
    values.push(bytes.subarray(cursor.at, cursor.at + length));
    if (start > runStart) rest.push(bytes.subarray(runStart, start));
    cursor.at += length;
    runStart = cursor.at;
  }
  rest.push(bytes.subarray(runStart));
  return { values, rest: rest.length === 1 ? (rest[0] as Uint8Array) : Buffer.concat(rest) };
}

/** Moves past the value of a field whose tag has been read, in a message that ends at `end`. Throws `invalid-argument`. */
export function skipValue(cursor: ByteCursor, tag: number, end: number): void {
  if (tag < 8) throw brokenRequest();
  switch (tag & 7) {
    case WireType.varint:
      if (!skipVarint(cursor, end)) throw brokenRequest();
      return;
    case WireType.fixed64:
      cursor.at += 8;
      break;
    case WireType.bytes: {
      const length = readVarint(cursor, end);
      if (length < 0) throw brokenRequest();
      cursor.at += length;
      break;
    }
    case WireType.fixed32:
      cursor.at += 4;
      break;
    default:
      throw brokenRequest();
  }
  if (cursor.at > end) throw brokenRequest();
}

export function brokenRequest() {
  return invalidArgument("request", "is not a Protobuf message of the method's request type");
}
