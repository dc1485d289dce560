/** Which column of a CSV file becomes which part of a record. */

import type { RecordInput } from "../wire/index.js";
import { ColumnFinder } from "./column-finder.js";
import { textOfCell } from "./csv-cell.js";
import type { CellReader, CsvMapping, Mutable } from "./csv-mapping.js";
import { exportedBodyReader } from "./exported-body.js";
import { FileFormatError } from "./file-format-error.js";
import { isExportHeader, meaningOf } from "./own-columns.js";
import { timeOf } from "./record-json.js";

/** Makes a record from the values of a row. */
export type RowReader = (values: readonly string[], where: string) => RecordInput;

/** Reads a header. Throws a FileFormatError when a name occurs twice, is empty, or is asked for and missing. */
export function readHeader(header: readonly string[], mapping: CsvMapping, where: string): RowReader {
  for (const [index, name] of header.entries()) {
    if (name.includes("\u0000"))
      throw new FileFormatError(where, "contains U+0000: is this UTF-16? Save the file as UTF-8");
    if (name === "")
      throw new FileFormatError(where, `column ${index + 1} has no name: the first row names the columns`);
    if (header.indexOf(name) !== index) throw new FileFormatError(where, `names two columns ${JSON.stringify(name)}`);
  }
  const columns = new ColumnFinder(header, where);
  const isExported = isExportHeader(header) && mapping.textColumn === undefined;
  const readPlaceAndTime = placeAndTimeReader(columns, mapping, isExported);
  const readBody = isExported ? exportedBodyReader(columns, mapping, where) : mappedBodyReader(columns, mapping);
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

function placeAndTimeReader(columns: ColumnFinder, mapping: CsvMapping, isExported: boolean): CellReader {
  // The header of an export is case-sensitive: `Key` is a field of the json body there, not the record's key.
  const find = (...names: readonly [string, ...string[]]) =>
    isExported ? columns.exactly(names[0]) : columns.oneOf(names);
  const latitudeName = mapping.latitudeColumn ?? find("latitude", "lat");
  const longitudeName = mapping.longitudeColumn ?? find("longitude", "lon", "lng");
  // Without its other half, a requested column is an error; a guessed one goes into the body like any other column.
  const isAsked = mapping.latitudeColumn !== undefined || mapping.longitudeColumn !== undefined;
  const hasPlace = isAsked || (latitudeName !== undefined && longitudeName !== undefined);
  const reader = (name: string | undefined) => {
    if (name === undefined) return undefined;
    const at = columns.named(name);
    const read = isExported ? ownText(name) : undefined;
    return (cells: readonly string[]) => (read === undefined ? (cells[at] as string) : read(cells[at] as string));
  };
  const key = reader(mapping.keyColumn ?? find("key", "id"));
  const eventTime = reader(mapping.timeColumn ?? find("event_time"));
  const latitude = reader(hasPlace ? (latitudeName ?? "latitude") : undefined);
  const longitude = reader(hasPlace ? (longitudeName ?? "longitude") : undefined);
  return (record, cells, where) => {
    if (key !== undefined) record.key = key(cells);
    const time = eventTime?.(cells) ?? "";
    if (time !== "") record.eventTimestamp = timeOf(time, "event_time", where);
    const north = latitude?.(cells) ?? "";
    const east = longitude?.(cells) ?? "";
    if (north === "" && east === "") return;
    record.location = {
      latitude: degreesOf(north, "latitude", where),
      longitude: degreesOf(east, "longitude", where),
    };
  };
}

/** Reads a cell of an export as a key, a time or a coordinate: a field of the json body may be in JSON's quotes. */
function ownText(column: string): ((cell: string) => string) | undefined {
  return meaningOf(column).kind === "field" ? textOfCell : undefined;
}

export function degreesOf(text: string, name: string, where: string): number {
  if (/^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/.test(text)) return Number(text);
  throw new FileFormatError(where, `${name} must be a number of degrees, got ${JSON.stringify(text.slice(0, 50))}`);
}

function mappedBodyReader(columns: ColumnFinder, { attributeColumns = [], textColumn }: CsvMapping): CellReader {
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
      // Object.fromEntries treats `__proto__` like any other name.
      record.json = Object.fromEntries(rest.map(([name, at]) => [name, values[at]]));
    } else record.text = values[text];
  };
}
