import { type OffsetRange, RangeSet } from "../../core/index.js";

/** Of a range: the offsets that are in a map, ascending, and what is left of it. */
export function heldOf(
  map: ReadonlyMap<number, unknown>,
  { firstOffset, nextOffset }: OffsetRange,
): { readonly held: readonly number[]; readonly stale: Iterable<OffsetRange> } {
  const held: number[] = [];
  // A range may be as long as a client likes: no more is looked at than there is.
  if (nextOffset - firstOffset <= 2 * map.size) {
    for (let offset = firstOffset; offset < nextOffset; offset++) if (map.has(offset)) held.push(offset);
  } else {
    for (const offset of map.keys()) if (offset >= firstOffset && offset < nextOffset) held.push(offset);
    held.sort((one, other) => one - other);
  }
  if (held.length === nextOffset - firstOffset) return { held, stale: [] };
  const stale = new RangeSet([{ firstOffset, nextOffset }]);
  for (const offset of held) stale.delete(offset, offset + 1);
  return { held, stale };
}
