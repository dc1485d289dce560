import { type JsonObject, type JsonValue, type RecordInput, timestampOfText } from "../wire/index.js";
import { FileFormatError } from "../files/index.js";
import { type CellKind, jsonOfCell } from "./cell.js";
import { type Column, columnNamed, type TableShape } from "./table-shape.js";

/** Columns for the other parts of a record. The `json` body has all columns. */
export interface TableMapping {
  /** Default: the columns of the order. Several are joined with "/". */
  readonly keyColumns?: readonly string[] | undefined;
  /** Default: `latitude` or `lat`, if there is a longitude too. */
  readonly latitudeColumn?: string | undefined;
  /** Default: `longitude`, `lon` or `lng`, if there is a latitude too. */
  readonly longitudeColumn?: string | undefined;
  /** The event time. A timestamp without a zone counts as UTC. Default: `event_time`, if it is a time. */
  readonly timeColumn?: string | undefined;
  /** Columns that become attributes as well. */
  readonly attributeColumns?: readonly string[] | undefined;
}

/** Postgres's text of a row's values, by column. */
export type TextRow = Readonly<Record<string, string | null>>;

/** Returns a function that makes a row's record. Throws a TableError when a column is missing. */
export function recordMaker(shape: TableShape, mapping: TableMapping): (row: TextRow, where: string) => RecordInput {
  const named = (name: string) => columnNamed(shape.name, shape.columns, name);
  const keys = mapping.keyColumns?.map(named) ?? shape.order;
  const attributes = mapping.attributeColumns?.map(named) ?? [];
  const place = placeColumns(shape, mapping);
  const time =
    mapping.timeColumn === undefined
      ? shape.columns.find(({ name, kind }) => name === "event_time" && isTime(kind))
      : named(mapping.timeColumn);
  return (row, where) => {
    const json: JsonObject = Object.create(null);
    for (const { name, kind } of shape.columns) json[name] = jsonOfCell(kind, row[name] ?? null);
    return {
      key: keyOf(keys, row),
      json,
      ...(attributes.length === 0 ? {} : { attributes: attributesOf(attributes, row) }),
      ...(place === undefined ? {} : { location: locationOf(row, place, where) }),
      ...(time === undefined ? {} : { eventTimestamp: timeOf(time, row, where) }),
    };
  };
}

function isTime(kind: CellKind): boolean {
  return kind === "instant" || kind === "local-time";
}

/** The columns that a location is made of. */
interface PlaceColumns {
  readonly latitude: Column;
  readonly longitude: Column;
}

function placeColumns(shape: TableShape, mapping: TableMapping): PlaceColumns | undefined {
  const { latitudeColumn, longitudeColumn } = mapping;
  const oneOf = (names: readonly string[]) => shape.columns.find(({ name }) => names.includes(name));
  const latitude =
    latitudeColumn === undefined ? oneOf(["latitude", "lat"]) : columnNamed(shape.name, shape.columns, latitudeColumn);
  const longitude =
    longitudeColumn === undefined
      ? oneOf(["longitude", "lon", "lng"])
      : columnNamed(shape.name, shape.columns, longitudeColumn);
  if (latitude !== undefined && longitude !== undefined) return { latitude, longitude };
  // Without its other half, a requested column is an error; a guessed one is a column like any other.
  if (latitudeColumn !== undefined) columnNamed(shape.name, shape.columns, "longitude");
  if (longitudeColumn !== undefined) columnNamed(shape.name, shape.columns, "latitude");
  return undefined;
}

/** Different values never make the same key: "%" and "/" inside a value become %25 and %2F. */
function keyOf(columns: readonly Column[], row: TextRow): string {
  if (columns.length === 1) return keyText(columns[0] as Column, row);
  const escape = (text: string) => text.replaceAll("%", "%25").replaceAll("/", "%2F");
  return columns.map((column) => escape(keyText(column, row))).join("/");
}

/** The value as in the body. JSON other than a text keeps Postgres's text, with all its digits. */
function keyText({ name, kind }: Column, row: TextRow): string {
  const text = row[name] ?? null;
  const value = jsonOfCell(kind, text);
  if (value === null || text === null) return "";
  return kind === "json" || kind === "nested" ? (typeof value === "string" ? value : text) : textOf(value);
}

function textOf(value: JsonValue): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function attributesOf(columns: readonly Column[], row: TextRow): Map<string, string> {
  const set = columns.filter(({ name }) => row[name] !== null);
  return new Map(set.map((column) => [column.name, keyText(column, row)]));
}

function locationOf(row: TextRow, { latitude, longitude }: PlaceColumns, where: string): RecordInput["location"] {
  const [north, east] = [row[latitude.name] ?? null, row[longitude.name] ?? null];
  if (north === null && east === null) return undefined;
  return { latitude: degrees(north, latitude.name, where), longitude: degrees(east, longitude.name, where) };
}

function degrees(text: string | null, column: string, where: string): number {
  if (text !== null && text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  throw new FileFormatError(where, `${column} must be a number of degrees, got ${text ?? "null"}`);
}

function timeOf({ name, kind }: Column, row: TextRow, where: string): RecordInput["eventTimestamp"] {
  const value = jsonOfCell(kind, row[name] ?? null);
  if (value === null) return undefined;
  const text = typeof value === "string" ? value : "";
  const time = timestampOfText(kind === "local-time" ? `${text}Z` : text);
  if (time !== undefined) return time;
  throw new FileFormatError(where, `${name} must be a time of the years 1 to 9999, got ${String(row[name])}`);
}
