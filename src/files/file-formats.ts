import { map, type Source, type Stream } from "../streams/index.js";
import type { ReceivedRecord, RecordInput } from "../wire/index.js";
import type { ByteSource } from "./byte-source.js";
import { type CsvOptions, rowsFromCsv } from "./csv-rows.js";
import { csvFromRecords, type CsvTextOptions } from "./csv-text.js";
import { type BadRowOptions, type FileRow, goodRows } from "./file-row.js";
import { type GeoJsonOptions, rowsFromGeoJson } from "./geojson-rows.js";
import { geoJsonFromRecords } from "./geojson-text.js";
import { rowsFromNdjson } from "./ndjson-rows.js";
import { ndjsonFromRecords } from "./ndjson-text.js";

export const fileFormats = ["geojson", "csv", "ndjson"] as const;

export type FileFormat = (typeof fileFormats)[number];

/** The options of all formats; each format uses its own. */
export interface FileOptions extends CsvOptions, GeoJsonOptions {}

/** The format of a file, by the ending of its name. */
export function formatOfName(name: string): FileFormat | undefined {
  const extension = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  return extensions[extension];
}

const extensions: Readonly<Record<string, FileFormat>> = Object.assign(Object.create(null), {
  geojson: "geojson",
  geojsonl: "geojson",
  geojsons: "geojson",
  csv: "csv",
  ndjson: "ndjson",
  jsonl: "ndjson",
} satisfies Record<string, FileFormat>);

export function rowsFromFile(source: ByteSource, format: FileFormat, options: FileOptions): Stream<FileRow> {
  switch (format) {
    case "geojson":
      return rowsFromGeoJson(source, options);
    case "csv":
      return rowsFromCsv(source, options);
    case "ndjson":
      return rowsFromNdjson(source, options);
    default:
      return format satisfies never;
  }
}

export function textFromRecords(
  records: Source<ReceivedRecord>,
  format: FileFormat,
  options: CsvTextOptions = {},
): Stream<string> {
  switch (format) {
    case "geojson":
      return geoJsonFromRecords(records);
    case "csv":
      return csvFromRecords(records, options);
    case "ndjson":
      return ndjsonFromRecords(records);
    default:
      return format satisfies never;
  }
}

/** Records of a CSV file, read as they are pulled. See `rowsFromCsv`. */
export function recordsFromCsv(source: ByteSource, options: CsvOptions & BadRowOptions = {}): Stream<RecordInput> {
  return recordsOf(rowsFromCsv(source, options), options);
}

/** Records of GeoJSON features, read as they are pulled. See `rowsFromGeoJson`. */
export function recordsFromGeoJson(
  source: ByteSource,
  options: GeoJsonOptions & BadRowOptions = {},
): Stream<RecordInput> {
  return recordsOf(rowsFromGeoJson(source, options), options);
}

/** Records of NDJSON, read as they are pulled. See `rowsFromNdjson`. */
export function recordsFromNdjson(
  source: ByteSource,
  options: Parameters<typeof rowsFromNdjson>[1] & BadRowOptions = {},
): Stream<RecordInput> {
  return recordsOf(rowsFromNdjson(source, options), options);
}

function recordsOf(rows: Stream<FileRow>, options: BadRowOptions): Stream<RecordInput> {
  return map(goodRows(rows, options), ({ record }) => record);
}
