/**
 * How far a search looks at a time: twice as far while what it finds leaves room in its page, half as far when it found
 * more than fits, which then was looked at for nothing.
 */
export interface SearchReach {
  /** How many rows the next search looks at. */
  readonly rows: number;
  /** And how many bytes of them, about. */
  readonly bytes: number;
  adapt(found: { readonly isCut: boolean }): void;
}

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
  return {
    bytes: bytesMost,
    get rows() {
      return rows;
    },
    adapt({ isCut }) {
      rows = isCut ? Math.max(rowsLeast, Math.floor(rows / 2)) : Math.min(most, rows * 2);
    },
  };
}
