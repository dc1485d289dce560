/** Which part of a state is wanted: what the database selects, and what is decided here on its frames. */

import { isInside, type Rectangle } from "../../core/index.js";
import { type Filter, type FilterNeeds, needlesOf } from "../../filter/index.js";
import { type KeepFrame, StoredRecord } from "../../wire/index.js";

/** What a listing or a watch asks for. */
export interface StateSelection {
  /** Only keys that begin with this. */
  readonly keyPrefix: string;
  /** Only records inside it. */
  readonly rectangle: Rectangle | undefined;
  /** Only records that match. */
  readonly filter: Filter | undefined;
}

export interface SplitSelection {
  /** The database selects by these. */
  readonly prefix: string;
  readonly rectangle: Rectangle | undefined;
  readonly needles: readonly Uint8Array[];
  /** Decides on the records that the database selected. Undefined: all of them match. */
  readonly keepFound: KeepFrame | undefined;
  /** Decides on any record whose key has the requested prefix. Undefined: all of them match. */
  readonly keep: KeepFrame | undefined;
}

/** Shared by all selections: an object of its own would keep a reader's last page in memory while the reader waits. */
const record = new StoredRecord();

export function selectionOf({ keyPrefix, rectangle, filter }: StateSelection): SplitSelection {
  if (filter === undefined) {
    return {
      prefix: keyPrefix,
      rectangle,
      needles: [],
      keepFound: undefined,
      keep: rectangle && insideOf(rectangle),
    };
  }
  const matches: KeepFrame = (bytes, start, end) => filter.matches(bytes, start, end);
  const keepInside = rectangle && insideOf(rectangle);
  return {
    prefix: narrowPrefix(keyPrefix, filter.needs),
    rectangle: rectangle ?? filter.needs.rectangle,
    needles: needlesOf(filter.needs),
    keepFound: matches,
    keep: keepInside ? (bytes, start, end) => keepInside(bytes, start, end) && matches(bytes, start, end) : matches,
  };
}

function insideOf(rectangle: Rectangle): KeepFrame {
  return (bytes, start, end) => {
    const { location } = record.walk(bytes, start, end);
    return location !== undefined && isInside(location, rectangle);
  };
}

/** The longest prefix that all wanted keys share. */
function narrowPrefix(asked: string, { keys, keyPrefix = "" }: FilterNeeds): string {
  const prefixes = [keyPrefix, keys === undefined || keys.length === 0 ? "" : commonPrefix(keys)];
  return prefixes.reduce((longest, prefix) => (prefix.startsWith(longest) ? prefix : longest), asked);
}

function commonPrefix([first = "", ...others]: readonly string[]): string {
  // By characters: half of a surrogate pair is not a character.
  const characters = Array.from(first);
  while (!others.every((other) => other.startsWith(characters.join("")))) characters.pop();
  return characters.join("");
}
