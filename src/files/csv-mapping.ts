/** Which column of a CSV file becomes which part of a record. */

import type { RecordInput } from "../wire/index.js";

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

export type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Reads some of a row's cells into a record. */
export type CellReader = (record: Mutable<RecordInput>, cells: readonly string[], where: string) => void;
