/** The values of a JSON body as cells of an exported CSV file, each told apart from the others. */

import type { JsonValue } from "../wire/index.js";

/** What JSON begins with; of texts that begin otherwise none is JSON, which is quick to see. */
const beginsLikeJson = /^[ \t\n\r]*(?:["[{]|-?\d|(?:true|false|null)[ \t\n\r]*$)/;

/**
 * The cell of a value: a text as it is, all else as JSON. A text that would be read as JSON, and an empty one, are in JSON's
 * quotes: so `12` is a number and `"12"` a text, and an empty cell is a field that is missing.
 */
export function cellOfValue(value: JsonValue): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return value === "" || readJson(value) !== undefined ? JSON.stringify(value) : value;
}

/** The value of a cell that is not empty. */
export function valueOfCell(cell: string): JsonValue {
  const value = readJson(cell);
  return value === undefined ? cell : value;
}

/** A cell as a key, an attribute or a coordinate: a text without JSON's quotes. */
export function textOfCell(cell: string): string {
  const value = valueOfCell(cell);
  return typeof value === "string" ? value : cell;
}

function readJson(text: string): JsonValue | undefined {
  if (!beginsLikeJson.test(text)) return undefined;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
