/** Which part of a state is wanted: what the database is asked, and what is decided here on the frames it gives. */

import { isInside, type Rectangle } from "../core/index.js";
import { type KeepFrame, subjectOf } from "../wire/index.js";

/** What a listing or a watch asks for. */
export interface StateWish {
  /** Only keys that begin with this. */
  readonly keyPrefix: string;
  /** Only records inside. */
  readonly rectangle: Rectangle | undefined;
}

export interface StateSelection {
  /** For the database. */
  readonly prefix: string;
  readonly rectangle: Rectangle | undefined;
  readonly needles: readonly Uint8Array[];
  /** Decides on what the database gave for the above. Undefined: all of it. */
  readonly keepFound: KeepFrame | undefined;
  /** Decides on any record with the prefix. Undefined: all of them. */
  readonly keep: KeepFrame | undefined;
}

export function selectionOf({ keyPrefix, rectangle }: StateWish): StateSelection {
  const keep: KeepFrame | undefined =
    rectangle &&
    ((bytes, start, end) => {
      const { place } = subjectOf(bytes, start, end);
      return place !== undefined && isInside(place, rectangle);
    });
  return { prefix: keyPrefix, rectangle, needles: [], keepFound: undefined, keep };
}
