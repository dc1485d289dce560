/** A page of which a reader gets only some records: filters, rectangles and lifetimes leave the others out. */

import { endOfFrame } from "../core/index.js";
import { frameTag } from "./record-fields.js";

/** Whether the record goes on, whose frame stands from `start` to `end`. */
export type KeepFrame = (bytes: Buffer, start: number, end: number) => boolean;

export interface ThinnedPage {
  /** The frames that are kept, in their order: views of the page. Neighbours are one run. */
  readonly runs: readonly Buffer[];
  /** How many those are, and their bytes. */
  readonly records: number;
  readonly bytes: number;
  /** Where in the page it stopped looking: its end, unless `most` records were found before. */
  readonly lookedTo: number;
}

/**
 * Keeps at most `most` records, and looks no further than the last of them. The frames are our own: whole, and right. A
 * whole message will do: what follows its frames is left out.
 */
export function thinPage(frames: Uint8Array, keep: KeepFrame, most = Number.POSITIVE_INFINITY): ThinnedPage {
  const page = Buffer.from(frames.buffer, frames.byteOffset, frames.length);
  const runs: Buffer[] = [];
  let records = 0;
  let bytes = 0;
  let runStart = 0;
  let runEnd = 0;
  let end = 0;
  while (end < page.length && records < most && page[end] === frameTag) {
    const start = end;
    end = endOfFrame(page, start);
    if (!keep(page, start, end)) continue;
    records += 1;
    bytes += end - start;
    if (start !== runEnd) {
      if (runEnd > runStart) runs.push(page.subarray(runStart, runEnd));
      runStart = start;
    }
    runEnd = end;
  }
  if (runEnd > runStart) runs.push(page.subarray(runStart, runEnd));
  return { runs, records, bytes, lookedTo: end };
}
