/**
 * How far a search looks at a time: twice as far while what it finds leaves room in its page, half as far when it found
 * more than fits, which then was looked at for nothing.
 */
export interface SearchReach {
  /** How many rows the next search looks at. */
  readonly rows: number;
  /** And how many bytes of them, about. */
  readonly bytes: number;
  /** Whether the database looks for the bytes, too: not where most blocks have them. */
  readonly skipsBlocks: boolean;
  adapt(found: { readonly isCut: boolean; readonly density?: number }): void;
}

/** Where as many of the blocks hold the bytes, looking for them in the database leaves too little out to be worth it. */
const denseFrom = 0.5;
const rowsAtFirst = 2000;
const rowsMost = 20_000;
const rowsLeast = 100;
/**
 * Bytes that one search looks at: some tens of milliseconds of the database. The embedded one is in this process, and has
 * its one thread.
 */
const bytesMostOf = { postgres: 16 * 1024 * 1024, embedded: 2 * 1024 * 1024 } as const;

export function createSearchReach(meanFrameBytes: number, database: keyof typeof bytesMostOf): SearchReach {
  const bytesMost = bytesMostOf[database];
  const most = Math.min(rowsMost, Math.max(rowsLeast, Math.floor(bytesMost / meanFrameBytes)));
  let rows = Math.min(rowsAtFirst, most);
  let skipsBlocks = true;
  return {
    bytes: bytesMost,
    get rows() {
      return rows;
    },
    get skipsBlocks() {
      return skipsBlocks;
    },
    adapt({ isCut, density }) {
      if (density !== undefined) skipsBlocks = density < denseFrom;
      rows = isCut ? Math.max(rowsLeast, Math.floor(rows / 2)) : Math.min(most, rows * 2);
    },
  };
}
