/**
 * How far a search looks at a time: twice as far while what it finds leaves room in its page, half as far when it found
 * more than fits, which then was looked at for nothing.
 */
export interface SearchReach {
  /** How many rows the next search looks at. */
  readonly rows: number;
  /** And how many bytes of them, about. */
  readonly bytes: number;
  /** How much of what was looked at last stands in blocks that hold the bytes. Undefined: nothing was looked at yet. */
  readonly density: number | undefined;
  adapt(found: { readonly isCut: boolean; readonly density?: number }): void;
}

const rowsAtFirst = 2000;
const rowsMost = 20_000;
const rowsLeast = 100;

/** `bytesMost`: what the database looks through without being in anybody's way. */
export function createSearchReach(meanFrameBytes: number, bytesMost: number): SearchReach {
  const most = Math.min(rowsMost, Math.max(rowsLeast, Math.floor(bytesMost / meanFrameBytes)));
  let rows = Math.min(rowsAtFirst, most);
  let density: number | undefined;
  return {
    bytes: bytesMost,
    get rows() {
      return rows;
    },
    get density() {
      return density;
    },
    adapt({ isCut, density: found }) {
      if (found !== undefined) density = found;
      rows = isCut ? Math.max(rowsLeast, Math.floor(rows / 2)) : Math.min(most, rows * 2);
    },
  };
}
