import { type ItemOf, merge } from "../operators/merge.js";
import { map } from "../operators/map.js";
import type { Source } from "../sources/from.js";
import type { Stream } from "../stream.js";

/** An item, and the name of its source: a string, as all property names are. */
export type Selected<Branches> = {
  [Branch in keyof Branches & (string | number)]: {
    readonly branch: `${Branch}`;
    readonly item: ItemOf<Branches[Branch]>;
  };
}[keyof Branches & (string | number)];

/**
 * The items of several sources as they come, each with the name of its source. No item is lost: a source that had nothing
 * yet when it was asked keeps its item for a later turn. As `merge`, it is fair, holds nothing, and ends when all sources
 * have ended. O(1) an item.
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
