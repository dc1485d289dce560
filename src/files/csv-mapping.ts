/** Which column of a CSV file becomes which part of a record. */

import type { RecordInput } from "../wire/index.js";

/** Columns by name. An unset one is found by its default names; every other column goes into the `json` body. */
export interface CsvMapping {
  /** Default: `key` or `id`, if there is one. */
  readonly keyColumn?: string | undefined;
  /** Default: `latitude` or `lat`, if there is a longitude too. */
  readonly latitudeColumn?: string | undefined;
  /** Default: `longitude`, `lon` or `lng`, if there is a latitude too. */
  readonly longitudeColumn?: string | undefined;
  /** The event time: RFC 3339, or a date. Default: `event_time`, if there is one. */
  readonly timeColumn?: string | undefined;
  /** Columns that become attributes of the same name. An empty value makes no attribute. */
  readonly attributeColumns?: readonly string[] | undefined;
  /**
   * The column that becomes the body, as text. Columns that are no key, location, time or attribute are then left out.
   */
  readonly textColumn?: string | undefined;
}

export type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Reads some cells of a row into a record. */
export type CellReader = (record: Mutable<RecordInput>, cells: readonly string[], where: string) => void;
