/** The attributes, lifetime and body in a row of an exported file. */

import type { RecordInput } from "../wire/index.js";
import type { ColumnFinder } from "./column-finder.js";
import { textOfCell, valueOfCell } from "./csv-cell.js";
import type { CellReader, CsvMapping } from "./csv-mapping.js";
import { FileFormatError } from "./file-format-error.js";
import { isPlainObject, parseJson, type PlainObject } from "./json-value.js";
import { meaningOf } from "./own-columns.js";
import { attributesOf, bytesOf, lifetimeOf, messageOf } from "./record-json.js";

type Attribute = readonly [name: string, at: number, read: (cell: string) => string];

/** The columns of the body, the attributes and the lifetime. */
interface BodyColumns {
  readonly kindAt: number;
  readonly bodyAt: number;
  readonly fields: readonly (readonly [name: string, at: number])[];
}

/** Assigns all columns that are left: those that are not a record's own are fields of the json body, or attributes. */
export function exportedBodyReader(columns: ColumnFinder, mapping: CsvMapping, where: string): CellReader {
  const attributesAt = columns.ifNamed("attributes");
  const lifetimeAt = columns.ifNamed("lifetime");
  const kindAt = columns.named("body_kind");
  const bodyAt = columns.named("body");
  const attributes: Attribute[] = (mapping.attributeColumns ?? []).map((name) => [
    name,
    columns.named(name),
    textOfCell,
  ]);
  const fields: (readonly [name: string, at: number])[] = [];
  for (const [column, at] of columns.rest()) {
    const meaning = meaningOf(column);
    if (meaning.kind === "attribute") attributes.push([meaning.name, at, (cell) => cell]);
    if (meaning.kind === "field") fields.push([meaning.name, at]);
  }
  const twice = fields.find(([name], index) => fields.findIndex(([other]) => other === name) !== index);
  if (twice !== undefined) {
    throw new FileFormatError(where, `names two columns for the field ${JSON.stringify(twice[0])}`);
  }
  return (record, cells, where) => {
    const text = cellAt(cells, attributesAt);
    const named = attributes
      .map(([name, at, read]) => [name, read(cellAt(cells, at))] as const)
      .filter(([, value]) => value !== "");
    if (text !== "" || named.length > 0) {
      const whole = text === "" ? [] : attributesOf(parseJson(text, `${where}: attributes`), where);
      record.attributes = new Map([...whole, ...named]);
    }
    const lifetime = cellAt(cells, lifetimeAt);
    if (lifetime !== "") record.lifetimeMs = lifetimeOf(lifetime, where);
    Object.assign(record, bodyOf(cells, { kindAt, bodyAt, fields }, where));
  };
}

function bodyOf(cells: readonly string[], { kindAt, bodyAt, fields }: BodyColumns, where: string): RecordInput {
  const body = cellAt(cells, bodyAt);
  const kind = cellAt(cells, kindAt);
  const filled = kind === "json" ? undefined : fields.find(([, at]) => cellAt(cells, at) !== "");
  if (filled !== undefined) {
    const name = JSON.stringify(filled[0]);
    throw new FileFormatError(where, `has the field ${name} of a json body, and ${JSON.stringify(kind)} as body_kind`);
  }
  switch (kind) {
    case "":
      if (body !== "") throw new FileFormatError(where, "has a body without a body_kind");
      return {};
    case "text":
      return { text: body };
    case "json":
      return { json: jsonOf(cells, fields, body === "" ? {} : jsonObjectOf(body, where)) };
    case "data":
      return { data: bytesOf(body, "body", where) };
    case "message":
      return { message: messageOf(parseJson(body, `${where}: body`), where) };
    default:
      throw new FileFormatError(
        where,
        `body_kind must be text, json, data, message or empty, got ${JSON.stringify(kind)}`,
      );
  }
}

function jsonObjectOf(body: string, where: string): PlainObject {
  const json = parseJson(body, `${where}: body`);
  if (isPlainObject(json)) return json;
  throw new FileFormatError(where, "body must be a JSON object, for body_kind json");
}

/** The fields from their columns and from the body. With named columns, the body has all of them. */
function jsonOf(cells: readonly string[], fields: BodyColumns["fields"], body: PlainObject): object {
  const entries: (readonly [name: string, value: unknown])[] = [];
  for (const [name, at] of fields) {
    const cell = cellAt(cells, at);
    if (cell !== "" && !Object.hasOwn(body, name)) entries.push([name, valueOfCell(cell)]);
  }
  // Object.fromEntries treats `__proto__` like any other name.
  return Object.fromEntries([...entries, ...Object.entries(body)]);
}

function cellAt(cells: readonly string[], at: number | undefined): string {
  return at === undefined ? "" : (cells[at] as string);
}
