/** The values of a JSON body as cells of an exported CSV file. Different values have different cells. */

import type { JsonValue } from "../wire/index.js";

/** The first characters that JSON can have: a quick test for texts that are no JSON. */
const beginsLikeJson = /^[ \t\n\r]*(?:["[{]|-?\d|(?:true|false|null)[ \t\n\r]*$)/;

/**
 * The cell of a value: a text unchanged, everything else as JSON. A text that could be read as JSON is written in
 * JSON's quotes, and so is an empty text. So `12` is a number, `"12"` a text, and an empty cell a missing field.
 */
export function cellOfValue(value: JsonValue): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return value === "" || readJson(value) !== undefined ? JSON.stringify(value) : value;
}

/** The value of a non-empty cell. */
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
