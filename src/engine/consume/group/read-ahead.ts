import type { Limits } from "../../../core/index.js";

/** What groups hold of records that are ready: each has a bound, and all of a node share one. */
export interface ReadAhead {
  readonly bytes: number;
  /** Whether less than half of what the node may read ahead is used. */
  readonly hasPlenty: boolean;
  /** Says what a group holds now. */
  hold(group: object, bytes: number): void;
  /** Whether a group that holds `bytes` may read another page. One that holds nothing always may. */
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
