import type { Source } from "../../../src/streams/sources/from.js";
import type { Stream } from "../../../src/streams/stream.js";
import { afterPace, type Pace } from "./probe.js";

/** What a source gives. */
export type Items = readonly number[];

export interface Failing {
  readonly items: readonly unknown[];
  readonly error?: unknown;
}

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
  /**
   * What comes when its first source fails after these items: by default what the model gives until then, and the error.
   * `undefined` where that is a race.
   */
  readonly failing?: (inputs: readonly Items[], error: Error) => Failing | undefined;
  /** It opens its sources itself: what it did not come to is not its to close. */
  readonly opensSources?: boolean;
  /** Where several sources mix: the source of an item. Within one the order holds. */
  readonly sourceOf?: (item: unknown) => number;
}

/** A function that takes its time, whose length depends on the item. */
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

/** The model of operators that give what they get. */
export const same = one((items) => items);
