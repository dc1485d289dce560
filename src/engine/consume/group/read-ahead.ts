import type { Limits } from "../../../core/index.js";

/** How many bytes of frames groups keep in memory: each group has a bound, and all groups of a node share one. */
export interface ReadAhead {
  /** Of all groups. */
  readonly bytes: number;
  /** Whether less than half of the bound of the node is used. */
  readonly hasPlenty: boolean;
  /** Says how many bytes a group keeps now. */
  hold(group: object, bytes: number): void;
  /** Whether a group that keeps `bytes` may read another page. A group that keeps nothing always may. */
  mayRead(bytes: number): boolean;
  leave(group: object): void;
}

export function createReadAhead(limits: Pick<Limits, "consumeAheadBytes" | "consumeAheadNodeBytes">): ReadAhead {
  const held = new Map<object, number>();
  let total = 0;
  const hold = (group: object, bytes: number): void => {
    total += bytes - (held.get(group) ?? 0);
    held.set(group, bytes);
  };
  return {
    get bytes() {
      return total;
    },
    get hasPlenty() {
      return total < limits.consumeAheadNodeBytes / 2;
    },
    hold,
    mayRead: (bytes) => bytes === 0 || (bytes < limits.consumeAheadBytes && total < limits.consumeAheadNodeBytes),
    leave(group) {
      hold(group, 0);
      held.delete(group);
    },
  };
}
