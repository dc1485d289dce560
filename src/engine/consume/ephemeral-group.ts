/** The group of an ephemeral consumer: its acknowledgements and redeliveries are in memory alone, and end with its call. */

import { defaultDeliveryPolicy } from "../../core/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { TopicLease } from "../topics/topic-cache.js";
import { Group, type GroupParts } from "./group/group.js";

export type EphemeralGroupParts = Omit<
  GroupParts,
  "topic" | "sharing" | "policy" | "isPaused" | "ledger" | "mayPark" | "onPark" | "onGrown"
> & {
  readonly lanes: DatabaseLanes;
};

export function createEphemeralGroup(parts: EphemeralGroupParts, lease: TopicLease, fromOffset: number): Group {
  const { topicId } = lease.topic;
  const group = new Group({
    ...parts,
    topic: lease.topic,
    sharing: "exclusive",
    policy: defaultDeliveryPolicy,
    isPaused: false,
    ledger: {
      session: 0,
      isHeld: true,
      attemptsBefore: 0,
      isAlone: true,
      settle: () => Promise.resolve({ lostClaims: [], settledElsewhere: [] }),
      readRetryFrames: (offsets) => parts.lanes.run("live", (store) => store.readFrames(topicId, offsets)),
      claimMore: () => Promise.resolve(undefined),
    },
    mayPark: () => true,
    onPark() {},
    onGrown() {},
  });
  const todo = [{ firstOffset: fromOffset, nextOffset: Number.POSITIVE_INFINITY }];
  group.add({ claimId: 0, kind: "slot", slot: 0, todo }, []);
  return group;
}
