import {
  adaptiveBuffer,
  buffered,
  bufferedUnordered,
  concat,
  flatMap,
  map,
  merge,
  prefetch,
  range,
  select,
  zip,
} from "../../../src/streams/index.js";
import { type ContractRow, type Items, one, paced, same } from "./contract-row.js";

const all = (inputs: readonly Items[]): Items => inputs.flat();
const sum = (inputs: readonly Items[], given: number) => Math.min(given, all(inputs).length);
const marked = (inputs: readonly Items[]) => inputs.flatMap((items, index) => items.map((n) => [index, n]));

/** Operators with several sources, or several items in progress. */
export const severalRows: readonly ContractRow[] = [
  {
    name: "flatMap",
    open: (s) => flatMap(s, (n) => range(0, n % 4)),
    model: one((items) => items.flatMap((n) => [0, 1, 2].slice(0, n % 4))),
    aheadMax: 0,
  },
  {
    name: "buffered",
    open: (s) => buffered(s, 3, (n) => paced(n, n + 1)),
    model: one((items) => items.map((n) => n + 1)),
    aheadMax: 3,
  },
  {
    name: "bufferedUnordered",
    open: (s) => bufferedUnordered(s, 3, (n) => paced(n, n + 1)),
    model: one((items) => items.map((n) => n + 1)),
    order: "any",
    aheadMax: 3,
  },
  { name: "prefetch", open: (s) => prefetch(s, 3), model: same, aheadMax: 3 },
  { name: "adaptiveBuffer", open: (s) => adaptiveBuffer(s, { min: 1, max: 4 }), model: same, aheadMax: 4 },
  {
    name: "concat",
    sources: 3,
    open: (...sources) => concat(...sources),
    model: all,
    needed: sum,
    aheadMax: 0,
    // The items of the sources after the failing one are not reached.
    failing: ([items = []], error) => ({ items, error }),
  },
  {
    name: "zip",
    sources: 2,
    open: (...sources) => zip(...sources),
    model: ([a = [], b = []]) => a.slice(0, b.length).map((n, i) => [n, b[i]]),
    needed: (inputs, given) => given * inputs.length,
    // Its first source is ahead by one when the second ends.
    aheadMax: 1,
    isDone: ([a = [], b = []]) => a.length > b.length,
    failing: ([a = [], b = []], error) =>
      a.length === b.length ? undefined : { items: a.map((n, i) => [n, b[i]]), error },
  },
  {
    name: "merge",
    sources: 3,
    open: (...sources) => merge(sources.map((s, index) => map(s, (n) => [index, n]))),
    model: marked,
    needed: sum,
    order: "any",
    sourceOf: (item) => (item as [number])[0],
    aheadMax: 3,
  },
  {
    name: "select",
    sources: 2,
    open: (a, b) => select({ 0: a, 1: b }),
    model: (inputs) => inputs.flatMap((items, index) => items.map((item) => ({ branch: String(index), item }))),
    needed: sum,
    order: "any",
    sourceOf: (item) => Number((item as { branch: string }).branch),
    aheadMax: 2,
  },
];
