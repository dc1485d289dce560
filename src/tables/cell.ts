/** Converts between Postgres's text of a value and JSON, by the column's type. Nothing is rounded. */

import type { JsonValue } from "../wire/index.js";
import { TableError } from "./table-error.js";

/** How the values of a column become JSON. */
export type CellKind =
  /** int2, int4, oid, float4, float8: numbers, which fit a double. NaN and the infinities become text. */
  | "number"
  | "boolean"
  /** bytea: base64. */
  | "bytes"
  /** timestamptz: RFC 3339 in UTC. Values outside the years of RFC 3339: Postgres's text. */
  | "instant"
  /** timestamp: the same without a zone. */
  | "local-time"
  /** json, jsonb: unchanged. */
  | "json"
  /** Arrays and composites: lists and objects of Postgres's to_jsonb. */
  | "nested"
  /** Arrays of types that JSON's numbers cannot hold: lists of texts. */
  | "text-list"
  /** All other types: Postgres's text. For int8 and numeric too, whose digits a double would lose. */
  | "text";

const kinds: Readonly<Record<string, CellKind>> = {
  int2: "number",
  int4: "number",
  oid: "number",
  float4: "number",
  float8: "number",
  bool: "boolean",
  bytea: "bytes",
  timestamptz: "instant",
  timestamp: "local-time",
  json: "json",
  jsonb: "json",
};

/** The kind of a type: its name in pg_type, its category, and the name of its elements' type if it is an array. */
export function cellKind(type: string, category: string, elementType: string | undefined): CellKind {
  if (category === "A") {
    const element = elementType === undefined ? "text" : (kinds[elementType] ?? "text");
    return element === "number" || element === "boolean" || element === "json" ? "nested" : "text-list";
  }
  return category === "C" ? "nested" : (kinds[type] ?? "text");
}

export function jsonOfCell(kind: CellKind, text: string | null): JsonValue {
  if (text === null) return null;
  switch (kind) {
    case "number":
      return Number.isFinite(Number(text)) ? Number(text) : text;
    case "boolean":
      return text === "t";
    case "bytes":
      return Buffer.from(text.slice(2), "hex").toString("base64");
    case "instant":
      return text.replace(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00$/, "$1T$2Z");
    case "local-time":
      return text.replace(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)$/, "$1T$2");
    case "json":
    case "nested":
    case "text-list":
      return JSON.parse(text) as JsonValue;
    case "text":
      return text;
    default:
      return kind satisfies never;
  }
}

/** The reverse, for columns of the order: text that Postgres reads as the same value. */
export function cellOfJson(kind: CellKind, value: JsonValue | undefined, column: string): string {
  if (kind === "boolean" && typeof value === "boolean") return String(value);
  if (kind === "number" && typeof value === "number") return String(value);
  if (typeof value === "string") return kind === "bytes" ? `\\x${Buffer.from(value, "base64").toString("hex")}` : value;
  throw new TableError(
    `Cannot continue: the last record of this import has no value for the column ${JSON.stringify(column)}`,
  );
}

/** Whether a table can be read in the order of a column of this kind. */
export function isOrderable(kind: CellKind): boolean {
  return kind !== "json" && kind !== "nested" && kind !== "text-list";
}
