/** Records from files and to files: GeoJSON, CSV and NDJSON, as streams. Public as `millrace/files`. */

export { ImportOvertakenError, appendBatches, readRecord } from "./append-batches.js";
export { BatchCutter, cutBatches } from "./batch-cutter.js";
export { isDelimiter } from "./csv-rows.js";
export { csvFromRecords } from "./csv-text.js";
export { FileFormatError } from "./file-format-error.js";
export {
  fileFormats,
  formatOfName,
  recordsFromCsv,
  recordsFromGeoJson,
  recordsFromNdjson,
  textFromRecords,
} from "./file-formats.js";
export { goodRows, makeRow } from "./file-row.js";
export { geoJsonFromRecords } from "./geojson-text.js";
export { importFile } from "./import-file.js";
export { ImportChangedError } from "./import-rows.js";
export { keyOfNumber } from "./json-value.js";
export { ndjsonFromRecords } from "./ndjson-text.js";
export { standingOf } from "./producer-standing.js";
export type { ByteSource, ByteSourceOptions } from "./byte-source.js";
export type { CsvMapping } from "./csv-mapping.js";
export type { CsvOptions } from "./csv-rows.js";
export type { CsvTextOptions } from "./csv-text.js";
export type { FileFormat, FileOptions } from "./file-formats.js";
export type { BadRowOptions, FileRow, GoodRow } from "./file-row.js";
export type { GeoJsonOptions } from "./geojson-rows.js";
export type { ImportOptions, ImportProgress } from "./import-rows.js";
