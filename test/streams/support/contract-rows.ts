import {
  batch,
  chunks,
  distinct,
  filter,
  filterMap,
  flatMap,
  map,
  skip,
  skipWhile,
  tryFilter,
  tryFilterMap,
  windows,
} from "../../../src/streams/index.js";
import type { Result } from "../../../src/streams/result.js";
import type { ContractRow } from "./contract-row.js";
import { groupingRows } from "./contract-rows-grouping.js";
import { itemWiseRows } from "./contract-rows-item-wise.js";
import { severalRows } from "./contract-rows-several.js";

const okOf = <T>(value: T): Result<T> => ({ ok: true, value });

/** Every exported operator. */
export const rows: readonly ContractRow[] = [...itemWiseRows, ...groupingRows, ...severalRows];

/** Operators that return no item for as long as their source lasts. */
export const silentRows: readonly Pick<ContractRow, "name" | "open" | "sources">[] = [
  { name: "filter that keeps nothing", open: (s) => filter(s, () => false) },
  { name: "filterMap that keeps nothing", open: (s) => filterMap(s, () => undefined) },
  { name: "flatMap that makes nothing", open: (s) => flatMap(s, () => []) },
  { name: "skip of all", open: (s) => skip(s, Number.MAX_SAFE_INTEGER) },
  { name: "skipWhile of all", open: (s) => skipWhile(s, () => true) },
  { name: "distinct of the same", open: (s) => distinct(s, () => true) },
  { name: "chunks that never fill", open: (s) => chunks(s, 2 ** 30) },
  { name: "batch that never fills", open: (s) => batch(s, { maxItems: 2 ** 30 }) },
  { name: "windows that never fill", open: (s) => windows(s, { size: 2 ** 30 }) },
  { name: "tryFilter that keeps nothing", open: (s) => tryFilter(map(s, okOf), () => false) },
  { name: "tryFilterMap that keeps nothing", open: (s) => tryFilterMap(map(s, okOf), () => undefined) },
];
