import { MillraceError } from "../../../core/index.js";
import type { AppendWrite } from "../../log-store.js";

/** A block of a commit: `count` frames, from byte `start` to byte `end` of the commit's frames. */
export interface BlockCut {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/**
 * Cuts a commit's frames into blocks of up to `blockBytes`; a larger frame is a block alone. The ends must cover the
 * frames exactly.
 */
export function cutBlocks({ frames, frameEnds }: AppendWrite, blockBytes: number): readonly BlockCut[] {
  const cuts: BlockCut[] = [];
  let start = 0;
  let end = 0;
  let count = 0;
  for (let index = 0; index < frameEnds.length; index++) {
    const frameEnd = frameEnds[index] as number;
    if (!(frameEnd > end))
      throw new MillraceError("internal", `Cannot append a frame from byte ${end} to byte ${frameEnd}`);
    if (count > 0 && frameEnd - start > blockBytes) {
      cuts.push({ start, end, count });
      start = end;
      count = 0;
    }
    end = frameEnd;
    count += 1;
  }
  if (end !== frames.length || count === 0) {
    throw new MillraceError("internal", `Cannot append ${frames.length} bytes: their frames end at ${end}`);
  }
  cuts.push({ start, end, count });
  return cuts;
}
