import {
  distinct,
  enumerate,
  filter,
  filterMap,
  map,
  mapError,
  recover,
  retry,
  scan,
  settle,
  skip,
  skipWhile,
  take,
  takeWhile,
  tap,
  tryFilter,
  tryFilterMap,
  tryMap,
  withSignal,
} from "../../../src/streams/index.js";
import type { Result } from "../../../src/streams/result.js";
import { type ContractRow, done, type Items, one, paced, same } from "./contract-row.js";

const before = (items: Items, isOver: (item: number) => boolean): Items => {
  const at = items.findIndex(isOver);
  return at < 0 ? items : items.slice(0, at);
};
const isEven = (n: number) => n % 2 === 0;
const okOf = <T>(value: T): Result<T> => ({ ok: true, value });
const distinctOf = (items: Items): Items => items.filter((item, index) => index === 0 || item !== items[index - 1]);
const scanned = (items: Items): Items => items.map((_, index) => items.slice(0, index + 1).reduce((a, b) => a + b, 0));

class Mapped extends Error {}

/** Operators on single items, and operators on errors. */
export const itemWiseRows: readonly ContractRow[] = [
  { name: "map", open: (s) => map(s, (n) => n * 2), model: one((items) => items.map((n) => n * 2)), aheadMax: 0 },
  {
    name: "map, waiting",
    open: (s) => map(s, (n) => paced(n, -n)),
    model: one((items) => items.map((n) => -n)),
    aheadMax: 0,
  },
  { name: "filter", open: (s) => filter(s, isEven), model: one((items) => items.filter(isEven)), aheadMax: 0 },
  {
    name: "filter, waiting",
    open: (s) => filter(s, (n) => paced(n, isEven(n))),
    model: one((items) => items.filter(isEven)),
    aheadMax: 0,
  },
  {
    name: "take",
    open: (s) => take(s, 4),
    model: one((items) => items.slice(0, 4)),
    isDone: done((items) => items.length >= 4),
    aheadMax: 0,
  },
  { name: "take nothing", open: (s) => take(s, 0), model: () => [], isDone: () => true, aheadMax: 0 },
  {
    name: "a run of steps",
    open: (s) =>
      take(
        map(
          filter(
            map(s, (n) => paced(n, n + 1)),
            isEven,
          ),
          (n) => paced(n, n * 3),
        ),
        3,
      ),
    model: one((items) =>
      items
        .map((n) => n + 1)
        .filter(isEven)
        .slice(0, 3)
        .map((n) => n * 3),
    ),
    isDone: done((items) => items.filter((n) => !isEven(n)).length >= 3),
    aheadMax: 0,
  },
  {
    name: "filterMap",
    open: (s) => filterMap(s, (n) => paced(n, isEven(n) ? n * 2 : undefined)),
    model: one((items) => items.filter(isEven).map((n) => n * 2)),
    aheadMax: 0,
  },
  { name: "scan", open: (s) => scan(s, (a: number, n) => paced(n, a + n), 0), model: one(scanned), aheadMax: 0 },
  {
    name: "takeWhile",
    open: (s) => takeWhile(s, (n) => paced(n, n < 8)),
    model: one((items) => before(items, (n) => n >= 8)),
    isDone: done((items) => items.some((n) => n >= 8)),
    aheadMax: 0,
  },
  { name: "skip", open: (s) => skip(s, 3), model: one((items) => items.slice(3)), aheadMax: 0 },
  {
    name: "skipWhile",
    open: (s) => skipWhile(s, (n) => paced(n, n < 4)),
    model: one((items) => items.slice(before(items, (n) => n >= 4).length)),
    aheadMax: 0,
  },
  {
    name: "enumerate",
    open: (s) => enumerate(s),
    model: one((items) => items.map((n, i) => [i, n])),
    aheadMax: 0,
  },
  { name: "distinct", open: (s) => distinct(s), model: one(distinctOf), aheadMax: 0 },
  { name: "tap", open: (s) => tap(s, (n) => paced(n, undefined)), model: same, aheadMax: 0 },
  { name: "withSignal", open: (s) => withSignal(s, new AbortController().signal), model: same, aheadMax: 0 },
  {
    name: "mapError",
    open: (s) => mapError(s, (error) => new Mapped("mapped", { cause: error })),
    model: same,
    aheadMax: 0,
    failing: ([items = []], error) => ({ items, error: new Mapped("mapped", { cause: error }) }),
  },
  {
    name: "recover",
    open: (s) => recover(s, () => [100, 101]),
    model: same,
    aheadMax: 0,
    failing: ([items = []]) => ({ items: [...items, 100, 101] }),
  },
  {
    name: "settle",
    open: (s) => settle(s),
    model: one((items) => items.map(okOf)),
    aheadMax: 0,
    failing: ([items = []], error) => ({ items: [...items.map(okOf), { ok: false, error }] }),
  },
  {
    name: "tryMap",
    open: (s) => tryMap(map(s, okOf), (n) => paced(n, n + 1)),
    model: one((items) => items.map((n) => okOf(n + 1))),
    aheadMax: 0,
  },
  {
    name: "tryFilter",
    open: (s) => tryFilter(map(s, okOf), (n) => paced(n, isEven(n))),
    model: one((items) => items.filter(isEven).map(okOf)),
    aheadMax: 0,
  },
  {
    name: "tryFilterMap",
    open: (s) => tryFilterMap(map(s, okOf), (n) => paced(n, isEven(n) ? n * 2 : undefined)),
    model: one((items) => items.filter(isEven).map((n) => okOf(n * 2))),
    aheadMax: 0,
  },
  {
    name: "retry, never",
    open: (s) => retry(() => s, { maxRetries: 0 }),
    model: same,
    opensSources: true,
    aheadMax: 0,
  },
  {
    name: "retry, once",
    open: (s) => retry(({ attempt }) => (attempt === 0 ? s : [100]), { maxRetries: 1, minMs: 1, maxMs: 1 }),
    model: same,
    failing: ([items = []]) => ({ items: [...items, 100] }),
    opensSources: true,
    aheadMax: 0,
  },
];
