/**
 * How far one search looks. Twice as far after a search whose matches left room in the page; half as far after one that
 * found more than fits, since the rest was examined in vain.
 */
export interface SearchReach {
  /** How many rows the next search examines. */
  readonly rows: number;
  /** About how many bytes of them. */
  readonly bytes: number;
  /** The share of what was examined last that stands in blocks with the bytes. Undefined: nothing was examined yet. */
  readonly density: number | undefined;
  adapt(found: { readonly isCut: boolean; readonly density?: number }): void;
}

const rowsAtFirst = 2000;
const rowsMax = 20_000;
const rowsMin = 100;

/** `bytesMax`: the store's `searchBytes`. */
export function createSearchReach(meanFrameBytes: number, bytesMax: number): SearchReach {
  const most = Math.min(rowsMax, Math.max(rowsMin, Math.floor(bytesMax / meanFrameBytes)));
  let rows = Math.min(rowsAtFirst, most);
  let density: number | undefined;
  return {
    bytes: bytesMax,
    get rows() {
      return rows;
    },
    get density() {
      return density;
    },
    adapt({ isCut, density: found }) {
      if (found !== undefined) density = found;
      rows = isCut ? Math.max(rowsMin, Math.floor(rows / 2)) : Math.min(most, rows * 2);
    },
  };
}
