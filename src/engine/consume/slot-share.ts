/** How a KEYED subscription's slots are spread over nodes: by how many consumers each has. */

import { keySlots } from "../../core/index.js";
import type { Member } from "../../store/index.js";

/**
 * How many slots the node of `session` should hold with its number of consumers. The shares of all nodes add up to all slots,
 * so that no node holds a slot that another waits for. Each node gets one slot; then each further slot goes to the node that
 * has the most consumers for a slot with it.
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
