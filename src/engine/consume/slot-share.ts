/** How a KEYED subscription's slots are spread over nodes: by how many consumers each has. */

import { keySlots } from "../../core/index.js";
import type { Member } from "../../store/index.js";

/** How many slots the node of `session` should hold, which has so many consumers. */
export function slotShare(members: readonly Member[], session: number, consumers: number): number {
  let all = consumers;
  for (const member of members) if (member.session !== session) all += member.consumers;
  return all === 0 ? 0 : Math.ceil((keySlots * consumers) / all);
}
