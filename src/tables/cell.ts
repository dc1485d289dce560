/** Between Postgres's text of a value and JSON, by the column's type; nothing is rounded. */

import type { JsonValue } from "../wire/index.js";
import { TableError } from "./table-error.js";

/** How the values of a column become JSON. */
export type CellKind =
  /** int2, int4, oid, float4, float8: numbers, which a double holds. NaN and the infinities become text. */
  | "number"
  | "boolean"
  /** bytea: base64. */
  | "bytes"
  /** timestamptz: RFC 3339 in UTC. timestamp: the same without a zone. Beyond their years: as Postgres writes it. */
  | "instant"
  | "local-time"
  /** json, jsonb: as they are. */
  | "json"
  /** Arrays and composites: lists and objects, as Postgres's own to_jsonb has them. */
  | "nested"
  /** Arrays of what JSON's numbers cannot hold: lists of texts. */
  | "text-list"
  /** All others, int8 and numeric among them, whose digits a double would lose: as Postgres writes them. */
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

/** The other way, for values that order a table: text that Postgres reads as the same value. */
export function cellOfJson(kind: CellKind, value: JsonValue | undefined, column: string): string {
  if (kind === "boolean" && typeof value === "boolean") return String(value);
  if (kind === "number" && typeof value === "number") return String(value);
  if (typeof value === "string") return kind === "bytes" ? `\\x${Buffer.from(value, "base64").toString("hex")}` : value;
  throw new TableError(
    `Cannot go on: the last record of this import has no value of the column ${JSON.stringify(column)}`,
  );
}

/** Whether a table can be read in the order of such a column. */
export function isOrderable(kind: CellKind): boolean {
  return kind !== "json" && kind !== "nested" && kind !== "text-list";
}
