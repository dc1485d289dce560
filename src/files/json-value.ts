import { FileFormatError } from "./file-format-error.js";

export interface PlainObject {
  readonly [name: string]: unknown;
}

export function isPlainObject(value: unknown): value is PlainObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The kind of a JSON value, for error texts. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/**
 * The key of a JSON number: its digits. Undefined where JSON.parse may have lost digits, because another number would
 * then have the same key: for whole numbers beyond 2^53, and for others with more than 15 digits.
 */
export function keyOfNumber(value: number): string | undefined {
  const text = String(value);
  if (Number.isInteger(value)) return Number.isSafeInteger(value) ? text : undefined;
  const digits = text
    .replace(/e.*$/, "")
    .replace(/^-?0?\.?0*/, "")
    .replace(".", "");
  return Number.isFinite(value) && digits.length <= 15 ? text : undefined;
}

export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FileFormatError(where, `is not JSON: ${(error as Error).message}`, error);
  }
}
