import type { Source } from "../../../src/streams/sources/from.js";
import type { Stream } from "../../../src/streams/stream.js";
import { afterPace, type Pace } from "./probe.js";

/** The items of a source. */
export type Items = readonly number[];

export interface Failing {
  readonly items: readonly unknown[];
  readonly error?: unknown;
}

/** One operator for the contract. Items are small whole numbers. */
export interface ContractRow {
  readonly name: string;
  /** The number of its sources. Default 1. */
  readonly sources?: number;
  readonly open: (...sources: Source<number>[]) => Stream<unknown>;
  /** Its items for these source items, when the sources have ended (`hasEnded`) or when more may come. */
  readonly model: (inputs: readonly Items[], hasEnded: boolean) => readonly unknown[];
  /** Whether the order is that of the model. Default "same". */
  readonly order?: "same" | "any";
  /** How many items it may have pulled beyond those that its returned items were made of. */
  readonly aheadMax: number;
  /** How many items, of all its sources, `given` items are made of; derived from the model for one source. */
  readonly needed?: (inputs: readonly Items[], given: number) => number;
  /** Whether it ends by itself after these items. Default: never. */
  readonly isDone?: (inputs: readonly Items[]) => boolean;
  /**
   * The items and the error when its first source fails after these items. Default: the items of the model until then, and
   * the source's error. `undefined`: the outcome is a race.
   */
  readonly failing?: (inputs: readonly Items[], error: Error) => Failing | undefined;
  /** Whether it opens its sources itself: a source that it has not opened need not be closed. */
  readonly opensSources?: boolean;
  /** The source of an item, if it mixes several sources. The order holds within each source. */
  readonly sourceOf?: (item: unknown) => number;
}

/** A function whose duration depends on the item. */
export function paced<U>(item: number, value: U): U | Promise<U> {
  const pace: Pace = item % 3 === 0 ? "now" : item % 3 === 1 ? "microtask" : "immediate";
  return pace === "now" ? value : new Promise((resolve) => afterPace(pace, () => resolve(value)));
}

/** A model of one source. */
export const one =
  (f: (items: Items, hasEnded: boolean) => readonly unknown[]): ContractRow["model"] =>
  ([items = []], hasEnded) =>
    f(items, hasEnded);
/** Whether an operator of one source is done. */
export const done =
  (isDone: (items: Items) => boolean): NonNullable<ContractRow["isDone"]> =>
  ([items = []]) =>
    isDone(items);

/** The model of operators that return their items unchanged. */
export const same = one((items) => items);
