/** What each column of a CSV file is to a record. */

import type { RecordInput } from "../wire/index.js";
import { FileFormatError } from "./file-format-error.js";
import { isPlainObject, parseJson } from "./json-value.js";
import { attributesOf, bytesOf, lifetimeOf, messageOf, timeOf } from "./record-json.js";

/** Which columns say what. What is not said is found by its name; every other column goes into the `json` body. */
export interface CsvMapping {
  /** Default: `key` or `id`, if there is one. */
  readonly keyColumn?: string | undefined;
  /** Default: `latitude` or `lat`, if there is a longitude too. */
  readonly latitudeColumn?: string | undefined;
  /** Default: `longitude`, `lon` or `lng`, if there is a latitude too. */
  readonly longitudeColumn?: string | undefined;
  /** When it happened: RFC 3339, or a date. Default: `event_time`, if there is one. */
  readonly timeColumn?: string | undefined;
  /** Columns that become attributes of the same name; an empty value is none. */
  readonly attributeColumns?: readonly string[] | undefined;
  /** The column that becomes the body, as text. What is no key, place, time or attribute is then left out. */
  readonly textColumn?: string | undefined;
}

/** Makes a record of the values of a row. */
export type RowReader = (values: readonly string[], where: string) => RecordInput;

/** The columns that an export writes. A header with the last two of them is taken for one. */
export const fixedColumns = [
  "key",
  "offset",
  "time",
  "event_time",
  "lifetime",
  "latitude",
  "longitude",
  "attributes",
  "body_kind",
  "body",
] as const;

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Reads a header. Throws a FileFormatError when a column is named twice, not at all, or is not there. */
export function readHeader(header: readonly string[], mapping: CsvMapping, where: string): RowReader {
  for (const [index, name] of header.entries()) {
    if (name.includes("\u0000")) throw new FileFormatError(where, "has U+0000 in it: is this UTF-16? Save it as UTF-8");
    if (name === "")
      throw new FileFormatError(where, `column ${index + 1} has no name: the first row names the columns`);
    if (header.indexOf(name) !== index) throw new FileFormatError(where, `names two columns ${JSON.stringify(name)}`);
  }
  const columns = new ColumnFinder(header, where);
  const isFixed = header.includes("body_kind") && header.includes("body") && mapping.textColumn === undefined;
  const readPlaceAndTime = placeAndTimeReader(columns, mapping);
  const readBody = isFixed ? fixedBodyReader(columns) : mappedBodyReader(columns, mapping);
  return (values, where) => {
    if (values.length !== header.length) {
      throw new FileFormatError(where, `has ${values.length} values for the ${header.length} columns of the header`);
    }
    const record: Mutable<RecordInput> = {};
    readPlaceAndTime(record, values, where);
    readBody(record, values, where);
    return record;
  };
}

/** Gives columns away, each once. */
class ColumnFinder {
  readonly #header: readonly string[];
  readonly #where: string;
  readonly #taken = new Set<number>();

  constructor(header: readonly string[], where: string) {
    this.#header = header;
    this.#where = where;
  }

  /** The column of this name. */
  named(name: string): number {
    const index = this.#header.indexOf(name);
    if (index === -1) {
      const known = this.#header.map((each) => JSON.stringify(each)).join(", ");
      throw new FileFormatError(this.#where, `there is no column ${JSON.stringify(name)}; there are ${known}`);
    }
    this.#taken.add(index);
    return index;
  }

  /** The first of these that is there, however it is capitalised. */
  oneOf(names: readonly string[]): string | undefined {
    for (const name of names) {
      const found = this.#header.find((each) => each.toLowerCase() === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Those that nobody took. */
  rest(): readonly (readonly [name: string, index: number])[] {
    return this.#header.flatMap((name, index) => (this.#taken.has(index) ? [] : [[name, index] as const]));
  }
}

type Reader = (record: Mutable<RecordInput>, values: readonly string[], where: string) => void;

function placeAndTimeReader(columns: ColumnFinder, mapping: CsvMapping): Reader {
  const indexOf = (name: string | undefined) => (name === undefined ? undefined : columns.named(name));
  const key = indexOf(mapping.keyColumn ?? columns.oneOf(["key", "id"]));
  const eventTime = indexOf(mapping.timeColumn ?? columns.oneOf(["event_time"]));
  const latitudeName = mapping.latitudeColumn ?? columns.oneOf(["latitude", "lat"]);
  const longitudeName = mapping.longitudeColumn ?? columns.oneOf(["longitude", "lon", "lng"]);
  // One that was asked for is refused where its other half is missing; one that was guessed is a column like others.
  const isAsked = mapping.latitudeColumn !== undefined || mapping.longitudeColumn !== undefined;
  const hasPlace = isAsked || (latitudeName !== undefined && longitudeName !== undefined);
  const latitude = hasPlace ? columns.named(latitudeName ?? "latitude") : undefined;
  const longitude = hasPlace ? columns.named(longitudeName ?? "longitude") : undefined;
  return (record, values, where) => {
    if (key !== undefined) record.key = values[key] as string;
    const time = eventTime === undefined ? "" : (values[eventTime] as string);
    if (time !== "") record.eventTimestamp = timeOf(time, "event_time", where);
    if (latitude === undefined || longitude === undefined) return;
    const [north, east] = [values[latitude] as string, values[longitude] as string];
    if (north === "" && east === "") return;
    record.location = {
      latitude: degreesOf(north, "latitude", where),
      longitude: degreesOf(east, "longitude", where),
    };
  };
}

export function degreesOf(text: string, name: string, where: string): number {
  if (/^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/.test(text)) return Number(text);
  throw new FileFormatError(where, `${name} must be a number of degrees, got ${JSON.stringify(text.slice(0, 50))}`);
}

function fixedBodyReader(columns: ColumnFinder): Reader {
  const attributes = columns.oneOf(["attributes"]);
  const attributesAt = attributes === undefined ? undefined : columns.named(attributes);
  const lifetime = columns.oneOf(["lifetime"]);
  const lifetimeAt = lifetime === undefined ? undefined : columns.named(lifetime);
  const kindAt = columns.named("body_kind");
  const bodyAt = columns.named("body");
  return (record, values, where) => {
    const attributesText = attributesAt === undefined ? "" : (values[attributesAt] as string);
    if (attributesText !== "") record.attributes = attributesOf(jsonOf(attributesText, "attributes", where), where);
    const lifetimeText = lifetimeAt === undefined ? "" : (values[lifetimeAt] as string);
    if (lifetimeText !== "") record.lifetimeMs = lifetimeOf(lifetimeText, where);
    const body = values[bodyAt] as string;
    const kind = values[kindAt] as string;
    switch (kind) {
      case "":
        if (body !== "") throw new FileFormatError(where, "has a body without a body_kind");
        return;
      case "text":
        record.text = body;
        return;
      case "json": {
        const json = jsonOf(body, "body", where);
        if (!isPlainObject(json)) throw new FileFormatError(where, "body must be a JSON object, for body_kind json");
        record.json = json;
        return;
      }
      case "data":
        record.data = bytesOf(body, "body", where);
        return;
      case "message":
        record.message = messageOf(jsonOf(body, "body", where), where);
        return;
      default:
        throw new FileFormatError(
          where,
          `body_kind must be text, json, data, message or empty, got ${JSON.stringify(kind)}`,
        );
    }
  };
}

function jsonOf(text: string, column: string, where: string): unknown {
  return parseJson(text, `${where}: ${column}`);
}

function mappedBodyReader(columns: ColumnFinder, { attributeColumns = [], textColumn }: CsvMapping): Reader {
  const attributes = attributeColumns.map((name) => [name, columns.named(name)] as const);
  const text = textColumn === undefined ? undefined : columns.named(textColumn);
  const rest = columns.rest();
  return (record, values, _where) => {
    if (attributes.length > 0) {
      record.attributes = new Map(
        attributes.map(([name, at]) => [name, values[at] as string] as const).filter(([, value]) => value !== ""),
      );
    }
    if (text === undefined) {
      // Object.fromEntries makes `__proto__` a name like others.
      record.json = Object.fromEntries(rest.map(([name, at]) => [name, values[at]]));
    } else record.text = values[text];
  };
}
