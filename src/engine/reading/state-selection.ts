/** Which part of a state is wanted: what the database is asked, and what is decided here on the frames it gives. */

import { isInside, type Rectangle } from "../../core/index.js";
import { type Filter, type FilterNeeds, needlesOf } from "../../filter/index.js";
import { type KeepFrame, StoredRecord } from "../../wire/index.js";

/** What a listing or a watch asks for. */
export interface StateWish {
  /** Only keys that begin with this. */
  readonly keyPrefix: string;
  /** Only records inside. */
  readonly rectangle: Rectangle | undefined;
  /** Only records that match. */
  readonly filter: Filter | undefined;
}

export interface StateSelection {
  /** For the database. */
  readonly prefix: string;
  readonly rectangle: Rectangle | undefined;
  readonly needles: readonly Uint8Array[];
  /** Decides on what the database gave for the above. Undefined: all of it. */
  readonly keepFound: KeepFrame | undefined;
  /** Decides on any record whose key begins with what was asked for. Undefined: all of them. */
  readonly keep: KeepFrame | undefined;
}

/** One for all selections: one of its own would keep a reader's last page in memory while it waits. */
const record = new StoredRecord();

export function selectionOf({ keyPrefix, rectangle, filter }: StateWish): StateSelection {
  if (filter === undefined) {
    return {
      prefix: keyPrefix,
      rectangle,
      needles: [],
      keepFound: undefined,
      keep: rectangle && ((bytes, start, end) => isFrameInside(bytes, start, end, rectangle)),
    };
  }
  const matches: KeepFrame = (bytes, start, end) => filter.matches(bytes, start, end);
  return {
    prefix: narrowPrefix(keyPrefix, filter.needs),
    rectangle: rectangle ?? filter.needs.rectangle,
    needles: needlesOf(filter.needs),
    keepFound: matches,
    keep: rectangle
      ? (bytes, start, end) => isFrameInside(bytes, start, end, rectangle) && matches(bytes, start, end)
      : matches,
  };
}

function isFrameInside(bytes: Buffer, start: number, end: number, rectangle: Rectangle): boolean {
  const { location } = record.walk(bytes, start, end);
  return location !== undefined && isInside(location, rectangle);
}

/** The longest beginning that all wanted keys have. */
function narrowPrefix(asked: string, { keys, keyPrefix = "" }: FilterNeeds): string {
  const prefixes = [keyPrefix, keys === undefined || keys.length === 0 ? "" : commonPrefix(keys)];
  return prefixes.reduce((longest, prefix) => (prefix.startsWith(longest) ? prefix : longest), asked);
}

function commonPrefix([first = "", ...others]: readonly string[]): string {
  // By characters: half of a surrogate pair is none.
  const characters = Array.from(first);
  while (!others.every((other) => other.startsWith(characters.join("")))) characters.pop();
  return characters.join("");
}
