import { stringify } from "csv-stringify/sync";
import { chunks, concat, flatMap, map, pipe, type Source, type Stream } from "../streams/index.js";
import {
  durationOfMs,
  durationText,
  type JsonObject,
  type ReceivedRecord,
  timestampOfMicros,
  timestampText,
} from "../wire/index.js";
import { cellOfValue } from "./csv-cell.js";
import { columnOfField, meaningOf, type OwnColumn, ownColumns } from "./own-columns.js";
import { recordsPerChunk } from "./records-per-chunk.js";

export interface CsvTextOptions {
  /**
   * The columns, in this order, for other programs to read. `key`, `offset`, `time`, `event_time`, `lifetime`,
   * `latitude`, `longitude`, `attributes`, `body_kind` and `body` are the record's own. `attributes.NAME` is one
   * attribute. Any other name is a field of the json body, also written `json.NAME`.
   *
   * Default: the record's own columns, and the json fields that occur in the first 1000 records or 4 MiB. An import of
   * such a file makes the same records. The export waits for those records, so name the columns of a live stream.
   */
  readonly columns?: readonly string[] | undefined;
  /** Receives each record with fields that have no column. They are in its `body` cell, as JSON. */
  readonly onLeftInBody?: ((record: ReceivedRecord) => void) | undefined;
}

type Cell = (record: ReceivedRecord) => string;

/** Records as CSV: a header, then one row per record, quoted as RFC 4180 requires. Lines end with LF. */
export function csvFromRecords(records: Source<ReceivedRecord>, options: CsvTextOptions = {}): Stream<string> {
  const { columns, onLeftInBody } = options;
  return columns === undefined ? csvOfAll(records, onLeftInBody) : csvOfColumns(records, columns);
}

function csvOfColumns(records: Source<ReceivedRecord>, columns: readonly string[]): Stream<string> {
  const cells = columns.map(cellOf);
  // An unquoted row of one empty cell would be an empty line, which readers skip.
  const options = { quoted_empty: columns.length === 1 };
  return concat(
    [stringify([[...columns]])],
    pipe(
      chunks(records, recordsPerChunk),
      map((group) =>
        stringify(
          group.map((record) => cells.map((cell) => cell(record))),
          options,
        ),
      ),
    ),
  );
}

/** How many records, and characters of their bodies, are sampled for the fields that get columns. */
const sampleRecords = 1000;
const sampleLength = 4 * 1_048_576;

/** Beyond these bounds, field names are probably made from values, and no person or spreadsheet reads such a file. */
const fieldColumnsMax = 500;
const fieldNameLengthMax = 200;

function csvOfAll(
  records: Source<ReceivedRecord>,
  onLeftInBody: ((record: ReceivedRecord) => void) | undefined,
): Stream<string> {
  const over = Symbol("over");
  let sample: ReceivedRecord[] = [];
  let length = 0;
  let textOf: ((group: readonly ReceivedRecord[]) => string) | undefined;
  return flatMap(concat<ReceivedRecord[] | typeof over>(chunks(records, recordsPerChunk), [over]), (group) => {
    if (group !== over && textOf !== undefined) return [textOf(group)];
    if (group !== over) {
      sample.push(...group);
      length += group.reduce((sum, record) => sum + bodyText(record).length, 0);
      if (sample.length < sampleRecords && length < sampleLength) return [];
    }
    if (textOf !== undefined) return [];
    const fields = fieldsOf(sample);
    textOf = rowsWith(fields, onLeftInBody);
    const header = stringify([[...ownColumns, ...fields.map(columnOfField)]]);
    const rows = textOf(sample);
    sample = [];
    return rows === "" ? [header] : [header, rows];
  });
}

/** The fields that get columns, in the order of their first use. */
function fieldsOf(records: readonly ReceivedRecord[]): readonly string[] {
  const fields = new Set<string>();
  for (const { json = {} } of records) {
    for (const name of Object.keys(json)) {
      if (fields.size === fieldColumnsMax) return [...fields];
      // An import would take a header with U+0000 for UTF-16.
      if (name.length <= fieldNameLengthMax && !name.includes("\0")) fields.add(name);
    }
  }
  return [...fields];
}

function rowsWith(
  fields: readonly string[],
  onLeftInBody: ((record: ReceivedRecord) => void) | undefined,
): (group: readonly ReceivedRecord[]) => string {
  const known = new Set(fields);
  const own = ownColumns.filter((column) => column !== "body").map((column) => ownCells[column]);
  const rowOf = (record: ReceivedRecord): string[] => {
    const { json } = record;
    const cells = own.map((cell) => cell(record));
    if (json === undefined) return [...cells, bodyText(record), ...fields.map(() => "")];
    const left = Object.entries(json).filter(([name]) => !known.has(name));
    if (left.length > 0) onLeftInBody?.(record);
    const body = left.length === 0 ? "" : JSON.stringify(Object.fromEntries(left));
    return [...cells, body, ...fields.map((name) => fieldCell(json, name))];
  };
  return (group) => stringify(group.map(rowOf));
}

function fieldCell(json: JsonObject, name: string): string {
  const value = Object.hasOwn(json, name) ? json[name] : undefined;
  return value === undefined ? "" : cellOfValue(value);
}

function cellOf(column: string): Cell {
  const meaning = meaningOf(column);
  switch (meaning.kind) {
    case "own":
      return ownCells[meaning.column];
    case "attribute":
      return ({ attributes }) => attributes.get(meaning.name) ?? "";
    case "field":
      return ({ json }) =>
        json !== undefined && Object.hasOwn(json, meaning.name) ? fieldText(json, meaning.name) : "";
    default:
      return meaning satisfies never;
  }
}

function fieldText(json: JsonObject, field: string): string {
  const value = json[field];
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

const ownCells: Readonly<Record<OwnColumn, Cell>> = {
  key: ({ key }) => key,
  offset: ({ offset }) => String(offset),
  time: ({ timeMicros }) => timestampText(timestampOfMicros(timeMicros)),
  event_time: ({ eventTimestamp }) => (eventTimestamp === undefined ? "" : timestampText(eventTimestamp)),
  lifetime: ({ lifetimeMs }) => (lifetimeMs === undefined ? "" : durationText(durationOfMs(lifetimeMs))),
  latitude: ({ location }) => (location === undefined ? "" : String(location.latitude)),
  longitude: ({ location }) => (location === undefined ? "" : String(location.longitude)),
  attributes: ({ attributes }) => (attributes.size === 0 ? "" : JSON.stringify(Object.fromEntries(attributes))),
  body_kind: ({ body }) => body?.kind ?? "",
  body: bodyText,
};

function bodyText({ body }: ReceivedRecord): string {
  switch (body?.kind) {
    case undefined:
      return "";
    case "text":
      return body.value;
    case "json":
      return JSON.stringify(body.value);
    case "data":
      return base64(body.value);
    case "message":
      return JSON.stringify({ "@type": body.value.typeUrl, value: base64(body.value.value) });
    default:
      return body satisfies never;
  }
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}
