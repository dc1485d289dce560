/** Searches blocks for the frames that contain some bytes. */

import { endOfFrame } from "../../../core/index.js";
import type { PageSearchRead, PageSearchRequest } from "../../log-store.js";
import type { Block } from "./block.js";

type Found = NonNullable<PageSearchRead["found"]>;

export interface BlockSearch {
  /** Takes the next block in the direction of the search, without its trimmed records. */
  add(block: Block, earliestOffset: number): void;
  finish(walk: { readonly reached: number; readonly bytes: number }): Found;
}

/** A frame that contains the bytes. */
interface Match {
  readonly offset: number;
  readonly start: number;
  readonly end: number;
}

export function searchBlocks(request: PageSearchRequest): BlockSearch {
  const { direction, from, rows } = request;
  const isForward = direction === "forward";
  const needles = request.needles.filter((needle) => needle.length > 0);
  const found: Buffer[] = [];
  let bytes = 0;
  let matchingBytes = 0;
  /** Where the search ended early, since more was found than fits. */
  let cutAt: number | undefined;

  /** Adds a frame, or records that it does not fit. */
  function take({ offset, start, end }: Match, frames: Buffer): void {
    if (cutAt !== undefined) return;
    const isFirst = found.length === 0;
    if (found.length >= request.records || (!isFirst && bytes + end - start > request.bytes)) {
      cutAt = isForward ? offset : offset + 1;
      return;
    }
    // A copy: the driver overwrites the block's buffer.
    found.push(Buffer.from(frames.subarray(start, end)));
    bytes += end - start;
  }

  return {
    add({ firstOffset, frames }, earliestOffset) {
      if (cutAt !== undefined) return;
      const low = Math.max(earliestOffset, isForward ? from : from - rows);
      const high = isForward ? from + rows : from;
      const matches = matchesIn(frames, firstOffset, needles);
      if (matches.length > 0) matchingBytes += frames.length;
      const wanted = matches.filter(({ offset }) => offset >= low && offset < high);
      for (const match of isForward ? wanted : wanted.reverse()) take(match, frames);
    },
    finish: ({ reached, bytes: walked }) => ({
      frames: Buffer.concat(found),
      records: found.length,
      reached: cutAt ?? reached,
      isCut: cutAt !== undefined,
      density: walked === 0 ? 0 : matchingBytes / walked,
    }),
  };
}

/**
 * The frames that contain all needles, ascending. It searches for the longest needle, which few frames contain, and
 * walks over the lengths of the frames up to each match.
 */
function matchesIn(frames: Buffer, firstOffset: number, needles: readonly Uint8Array[]): Match[] {
  const [longest, ...others] = [...needles].sort((one, other) => other.length - one.length);
  const matches: Match[] = [];
  let offset = firstOffset;
  let start = 0;
  while (start < frames.length) {
    const place = longest === undefined ? start : frames.indexOf(longest, start);
    if (place === -1) break;
    let end = endOfFrame(frames, start);
    while (end <= place) {
      start = end;
      offset += 1;
      end = endOfFrame(frames, start);
    }
    // Bytes that span two frames match neither.
    const isThere = longest === undefined || place + longest.length <= end;
    if (isThere && holdsAll(frames.subarray(start, end), others)) matches.push({ offset, start, end });
    start = end;
    offset += 1;
  }
  return matches;
}

function holdsAll(frame: Buffer, needles: readonly Uint8Array[]): boolean {
  return needles.every((needle) => frame.indexOf(needle) !== -1);
}
