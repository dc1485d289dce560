/** Plain values as `google.protobuf.Struct`. It leaves out the values that JSON.stringify leaves out. */

import { invalidArgument, recordBounds } from "../core/index.js";
import type { BackwardWriter } from "./backward-writer.js";

const numberTag = 0x11;
const textTag = 0x1a;
const boolTag = 0x20;
const structTag = 0x2a;
const listTag = 0x32;

/**
 * Writes an object as a Struct. As JSON.stringify does, it calls `toJSON`, leaves out undefined values and functions, and
 * writes those as null in a list. Refuses values that JSON cannot express: NaN, infinities, bigints, lone surrogates, and
 * values nested deeper than a record may be (also cycles).
 */
export function writeStruct(writer: BackwardWriter, object: object, path: string): void {
  writeFields(writer, object, path, 1);
}

/** Positional parameters: called once a object of a Struct. */
function writeFields(writer: BackwardWriter, object: object, path: string, depth: number): void {
  checkDepth(path, depth);
  const names = Object.keys(object);
  for (let index = names.length - 1; index >= 0; index--) {
    const name = names[index] as string;
    const value = plain((object as { readonly [name: string]: unknown })[name], name);
    if (value === undefined) continue;
    if (!name.isWellFormed()) throw invalidArgument(path, `has the name ${JSON.stringify(name)}, ${notWellFormed}`);
    const end = writer.length;
    writeValue(writer, value, path, depth + 2);
    writer.varint(writer.length - end);
    writer.byte(0x12);
    const nameEnd = writer.length;
    writer.text(name);
    writer.varint(writer.length - nameEnd);
    writer.byte(0x0a);
    writer.varint(writer.length - end);
    writer.byte(0x0a);
  }
}

/** Positional parameters: called once a value of a Struct. */
function writeValue(writer: BackwardWriter, value: unknown, path: string, depth: number): void {
  checkDepth(path, depth);
  const end = writer.length;
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) throw invalidArgument(path, `has a text ${notWellFormed}`);
      writer.text(value);
      writer.varint(writer.length - end);
      writer.byte(textTag);
      return;
    case "number":
      if (!Number.isFinite(value))
        throw invalidArgument(path, `has the number ${value}: JSON has no NaN and no infinity`);
      writer.double(value);
      writer.byte(numberTag);
      return;
    case "boolean":
      writer.byte(value ? 1 : 0);
      writer.byte(boolTag);
      return;
    case "bigint":
      throw invalidArgument(path, `has the bigint ${value}: a JSON number is a double; write it as text`);
    case "object":
      writeObject(writer, value, path, depth);
      return;
    case "undefined":
    case "function":
    case "symbol":
    default:
      throw invalidArgument(path, `has a ${typeof value}, which JSON cannot express`);
  }
}

/** Positional parameters: called once a object or list of a Struct. */
function writeObject(writer: BackwardWriter, value: object | null, path: string, depth: number): void {
  const end = writer.length;
  if (value === null) {
    writer.byte(0);
    writer.byte(0x08);
    return;
  }
  if (Array.isArray(value)) writeItems(writer, value, path, depth + 1);
  else writeFields(writer, value, path, depth + 1);
  writer.varint(writer.length - end);
  writer.byte(Array.isArray(value) ? listTag : structTag);
}

/** Positional parameters: called once a list of a Struct. */
function writeItems(writer: BackwardWriter, items: readonly unknown[], path: string, depth: number): void {
  checkDepth(path, depth);
  for (let index = items.length - 1; index >= 0; index--) {
    const end = writer.length;
    writeValue(writer, plain(items[index], String(index)) ?? null, path, depth + 1);
    writer.varint(writer.length - end);
    writer.byte(0x0a);
  }
}

/** The value that JSON.stringify would write; undefined when it would leave the value out. */
function plain(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) {
    return typeof value === "function" || typeof value === "symbol" ? undefined : value;
  }
  const { toJSON } = value as { readonly toJSON?: unknown };
  return typeof toJSON === "function" ? toJSON.call(value, name) : value;
}

function checkDepth(path: string, depth: number): void {
  if (depth <= recordBounds.bodyDepth) return;
  throw invalidArgument(
    path,
    `is nested too deep, or contains itself: at most ${recordBounds.bodyDepth} messages (three for each object, two for each list)`,
  );
}

/** The end of an error about a text. */
export const notWellFormed = "with half of a surrogate pair, which UTF-8 cannot encode: repair it with toWellFormed()";
