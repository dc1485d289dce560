import { stringify } from "csv-stringify/sync";
import { chunks, concat, map, pipe, type Source, type Stream } from "../streams/index.js";
import {
  durationOfMs,
  durationText,
  type JsonObject,
  type ReceivedRecord,
  timestampOfMicros,
  timestampText,
} from "../wire/index.js";
import { fixedColumns } from "./csv-columns.js";
import { recordsPerChunk } from "./records-per-chunk.js";

export interface CsvTextOptions {
  /**
   * Which columns, in this order. `key`, `offset`, `time`, `event_time`, `lifetime`, `latitude`, `longitude`, `attributes`,
   * `body_kind` and `body` are the record's own; any other name is a field of its json body, also as `json.NAME`;
   * `attributes.NAME` is one attribute. Default: the record's own, of which an import makes the same records again.
   */
  readonly columns?: readonly string[] | undefined;
}

type Cell = (record: ReceivedRecord) => string;

/** Records as CSV: a header, then a row each, quoted where RFC 4180 wants it; lines end with LF. */
export function csvFromRecords(records: Source<ReceivedRecord>, options: CsvTextOptions = {}): Stream<string> {
  const columns = options.columns ?? fixedColumns;
  const cells = columns.map(cellOf);
  return concat(
    [stringify([[...columns]])],
    pipe(
      chunks(records, recordsPerChunk),
      map((group) => stringify(group.map((record) => cells.map((cell) => cell(record))))),
    ),
  );
}

function cellOf(column: string): Cell {
  const own = ownCells[column];
  if (own !== undefined) return own;
  const attribute = /^attributes\.(.+)$/s.exec(column)?.[1];
  if (attribute !== undefined) return ({ attributes }) => attributes.get(attribute) ?? "";
  const field = /^json\.(.+)$/s.exec(column)?.[1] ?? column;
  return ({ json }) => (json !== undefined && Object.hasOwn(json, field) ? fieldText(json, field) : "");
}

function fieldText(json: JsonObject, field: string): string {
  const value = json[field];
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

const ownCells: Readonly<Record<string, Cell>> = Object.assign(Object.create(null), {
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
} satisfies Record<(typeof fixedColumns)[number], Cell>);

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
