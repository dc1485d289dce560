import * as door from "../../../src/streams/index.js";
import type { Source } from "../../../src/streams/sources/from.js";
import type { Stream } from "../../../src/streams/stream.js";
import { afterPace, type Pace } from "./probe.js";

type Items = readonly number[];

/** One operator as the contract sees it: items are small whole numbers. */
export interface ContractRow {
  readonly name: string;
  /** How many sources it has; 1 unless it says otherwise. */
  readonly sources?: number;
  readonly open: (...sources: Source<number>[]) => Stream<unknown>;
  /** What it gives for these items, when they are all (`hasEnded`), or when it waits for more. */
  readonly model: (inputs: readonly Items[], hasEnded: boolean) => readonly unknown[];
  /** Whether the order is that of the model. Default "same". */
  readonly order?: "same" | "any";
  /** How many items it may have asked for beyond what the items that it gave were made of. */
  readonly aheadMax: number;
  /** How many items, of all its sources, `given` items are made of; derived from the model for one source. */
  readonly needed?: (inputs: readonly Items[], given: number) => number;
  /** Whether it ends by itself after these items. Default never. */
  readonly isDone?: (inputs: readonly Items[]) => boolean;
  /** What it gives when its first source fails after these items, and what it throws; by default what was there, and the error. */
  readonly failing?: (
    inputs: readonly Items[],
    error: Error,
  ) => { readonly items: readonly unknown[]; readonly error?: unknown };
}

/** A function that takes its time, whose length depends on the item. */
function paced<U>(item: number, value: U): U | Promise<U> {
  const pace: Pace = item % 3 === 0 ? "now" : item % 3 === 1 ? "microtask" : "immediate";
  return pace === "now" ? value : new Promise((resolve) => afterPace(pace, () => resolve(value)));
}

const one =
  (f: (items: Items, hasEnded: boolean) => readonly unknown[]): ContractRow["model"] =>
  ([items = []], hasEnded) =>
    f(items, hasEnded);
const done =
  (isDone: (items: Items) => boolean): NonNullable<ContractRow["isDone"]> =>
  ([items = []]) =>
    isDone(items);

const isEven = (n: number) => n % 2 === 0;

export const rows: readonly ContractRow[] = [
  { name: "map", open: (s) => door.map(s, (n) => n * 2), model: one((items) => items.map((n) => n * 2)), aheadMax: 0 },
  {
    name: "map, waiting",
    open: (s) => door.map(s, (n) => paced(n, -n)),
    model: one((items) => items.map((n) => -n)),
    aheadMax: 0,
  },
  { name: "filter", open: (s) => door.filter(s, isEven), model: one((items) => items.filter(isEven)), aheadMax: 0 },
  {
    name: "filter, waiting",
    open: (s) => door.filter(s, (n) => paced(n, isEven(n))),
    model: one((items) => items.filter(isEven)),
    aheadMax: 0,
  },
  {
    name: "take",
    open: (s) => door.take(s, 4),
    model: one((items) => items.slice(0, 4)),
    isDone: done((items) => items.length >= 4),
    aheadMax: 0,
  },
  { name: "take nothing", open: (s) => door.take(s, 0), model: () => [], isDone: () => true, aheadMax: 0 },
  {
    name: "a run of steps",
    open: (s) =>
      door.take(
        door.map(
          door.filter(
            door.map(s, (n) => paced(n, n + 1)),
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
];

/** Operators that give nothing for as long as their source lasts. */
export const silentRows: readonly Pick<ContractRow, "name" | "open" | "sources">[] = [
  { name: "filter that keeps nothing", open: (s) => door.filter(s, () => false) },
];
