/** Reduces a page to the records that one reader gets: filters, rectangles and lifetimes leave out the others. */

import { endOfFrame } from "../core/index.js";
import { frameTag } from "./record-fields.js";

/** Whether the reader gets the record in the frame from `start` to `end`. */
export type KeepFrame = (bytes: Buffer, start: number, end: number) => boolean;

export interface ThinnedPage {
  /** The kept frames, in their order, as views of the page. Neighbours are one run. */
  readonly runs: readonly Buffer[];
  /** Number and bytes of the kept frames. */
  readonly records: number;
  readonly bytes: number;
  /** Where in the page the walk stopped: at its end, unless it found `recordsMax` records before. */
  readonly lookedTo: number;
}

/**
 * Keeps up to `recordsMax` records, and stops after the last of them. The frames are the server's own, so nothing is
 * checked. `frames` may be a whole message: the fields behind its frames are left out.
 */
export function thinPage(frames: Uint8Array, keep: KeepFrame, recordsMax = Number.POSITIVE_INFINITY): ThinnedPage {
  const page = Buffer.from(frames.buffer, frames.byteOffset, frames.length);
  const runs: Buffer[] = [];
  let records = 0;
  let bytes = 0;
  let runStart = 0;
  let runEnd = 0;
  let end = 0;
  while (end < page.length && records < recordsMax && page[end] === frameTag) {
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
