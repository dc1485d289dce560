/**
 * How far a search looks at a time: twice as far while what it finds leaves room in its page, half as far when it found
 * more than fits, which then was looked at for nothing.
 */
export interface SearchReach {
  /** How many rows the next search looks at. */
  readonly rows: number;
  adapt(found: { readonly isCut: boolean }): void;
}

const rowsAtFirst = 2000;
const rowsMost = 20_000;
const rowsLeast = 100;
/** Bytes that one search looks at, by the mean size of records: some tens of milliseconds of the database. */
const bytesMost = 16 * 1024 * 1024;

export function createSearchReach(meanFrameBytes: number): SearchReach {
  const most = Math.min(rowsMost, Math.max(rowsLeast, Math.floor(bytesMost / meanFrameBytes)));
  let rows = Math.min(rowsAtFirst, most);
  return {
    get rows() {
      return rows;
    },
    adapt({ isCut }) {
      rows = isCut ? Math.max(rowsLeast, Math.floor(rows / 2)) : Math.min(most, rows * 2);
    },
  };
}
