/** How a KEYED subscription's slots are spread over nodes: by how many consumers each has. */

import { keySlots } from "../../core/index.js";
import type { Member } from "../../store/index.js";

/**
 * How many slots the node of `session` should hold, which has so many consumers. All shares together are all slots, so that
 * nobody has what another is waiting for: each node has one first, and then whoever has the most consumers for one more.
 */
export function slotShare(members: readonly Member[], session: number, consumers: number): number {
  const nodes = [...members.filter((member) => member.session !== session), { session, consumers }]
    .filter((node) => node.consumers > 0)
    .sort((one, other) => one.session - other.session)
    .slice(0, keySlots)
    .map((node) => ({ ...node, slots: 1 }));
  const [first] = nodes;
  if (first === undefined) return 0;
  for (let left = keySlots - nodes.length; left > 0; left--) {
    let next = first;
    for (const node of nodes) {
      if (node.consumers / (node.slots + 1) > next.consumers / (next.slots + 1)) next = node;
    }
    next.slots += 1;
  }
  return nodes.find((node) => node.session === session)?.slots ?? 0;
}
