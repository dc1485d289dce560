/**
 * How far one search looks. Twice as far after a search whose matches left room in the page; half as far after one that
 * found more than fits, since the rest was examined in vain.
 */
export interface SearchReach {
  /** How many rows the next search examines. */
  readonly rows: number;
  /** About how many bytes of them. */
  readonly bytes: number;
  /** Whether the database searches for the bytes as well. Not where most blocks hold them. */
  readonly skipsBlocks: boolean;
  adapt(found: { readonly isCut: boolean; readonly density?: number }): void;
}

/** From this share of blocks on, a search in the database excludes too little to be worth its cost. */
const denseFrom = 0.5;
const rowsAtFirst = 2000;
const rowsMax = 20_000;
const rowsMin = 100;
/**
 * Bytes that one search examines: some tens of milliseconds of the database. The embedded database runs on this
 * process's one thread.
 */
const bytesMaxOf = { postgres: 16 * 1024 * 1024, embedded: 2 * 1024 * 1024 } as const;

export function createSearchReach(meanFrameBytes: number, database: keyof typeof bytesMaxOf): SearchReach {
  const bytesMax = bytesMaxOf[database];
  const most = Math.min(rowsMax, Math.max(rowsMin, Math.floor(bytesMax / meanFrameBytes)));
  let rows = Math.min(rowsAtFirst, most);
  let skipsBlocks = true;
  return {
    bytes: bytesMax,
    get rows() {
      return rows;
    },
    get skipsBlocks() {
      return skipsBlocks;
    },
    adapt({ isCut, density }) {
      if (density !== undefined) skipsBlocks = density < denseFrom;
      rows = isCut ? Math.max(rowsMin, Math.floor(rows / 2)) : Math.min(most, rows * 2);
    },
  };
}
