import { type ItemOf, merge } from "../operators/merge.js";
import { map } from "../operators/map.js";
import type { Source } from "../sources/from.js";
import type { Stream } from "../stream.js";

/** An item, and the name of the source that it came from: a string, as all names of properties are. */
export type Selected<Branches> = {
  [Branch in keyof Branches & (string | number)]: {
    readonly branch: `${Branch}`;
    readonly item: ItemOf<Branches[Branch]>;
  };
}[keyof Branches & (string | number)];

/**
 * Whatever comes first of several sources, again and again, each item with the name of its source. What is not taken is
 * not lost: a source that was asked and has nothing yet keeps its answer for a later turn. Fair, holds nothing, and ends
 * when all have ended, as `merge` does. O(1) an item.
 *
 * @example
 * const commands = select({ add: [1, 2], say: ["hello"] });
 * for await (const command of commands) {
 *   console.log(command.branch === "add" ? command.item + 1 : command.item.toUpperCase()); // 2 HELLO 3
 * }
 */
export function select<Branches extends Readonly<Record<string, Source<unknown>>>>(
  branches: Branches,
): Stream<Selected<Branches>> {
  const tagged = Object.entries(branches).map(([branch, source]) => map(source, (item) => ({ branch, item })));
  return merge(tagged) as Stream<unknown> as Stream<Selected<Branches>>;
}
