/** Reports how far a subscription is and who consumes it: once, and then repeatedly. */

import { type SubscriptionFacts, subscriptionNotFound } from "../../core/index.js";
import type { Member, SubscriptionProgress, StoredSubscription } from "../../store/index.js";
import { sleep } from "../../streams/index.js";
import type { Clock, LiveStream } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { ConsumerFacts } from "../consume/handing-out/consume-messages.js";
import { findSubscription } from "../consume/find-subscription.js";
import type { ConsumerGroups } from "../consume/groups.js";
import { readStamp } from "../../wire/index.js";

/** How far a subscription is, and who consumes it. */
export interface SubscriptionReport extends SubscriptionFacts {
  readonly subscription: StoredSubscription;
  readonly consumers: readonly ConsumerFacts[];
}

export interface DescribeParts {
  readonly lanes: DatabaseLanes;
  readonly groups: Pick<ConsumerGroups, "factsOf">;
  readonly clock: Clock;
  /** This node, as `ConsumerFacts.node` names it. */
  readonly node: string;
}

/** Reports come on time while they are taken. A report that is taken late delays the next ones. `limit` 0: no limit. */
export async function* describeSubscription(
  parts: DescribeParts,
  command: { readonly name: string; readonly intervalMs: number; readonly limit: number },
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<SubscriptionReport, void, undefined> {
  const { lanes, clock } = parts;
  const { name, intervalMs, limit } = command;
  stream.waitFor("database");
  const { subscriptionId, topic } = await findSubscription(lanes, name, signal);
  stream.topic = topic;
  let dueMs = clock.monotonicMs();
  for (let count = 1; ; count++) {
    stream.waitFor("database");
    const progress = await lanes.run("live", (store) => store.readProgress(subscriptionId), signal);
    stream.waitFor("nothing");
    if (progress === undefined) throw subscriptionNotFound(name);
    const report = reportOf(parts, progress);
    stream.nextOffset = report.cursor.offset;
    stream.measureLag(() => report.lagRecords);
    yield report;
    if (count === limit) return;
    const nowMs = clock.monotonicMs();
    dueMs = Math.max(nowMs, dueMs + intervalMs);
    await sleep(dueMs - nowMs, clock, signal);
  }
}

function reportOf({ groups, node }: DescribeParts, progress: SubscriptionProgress): SubscriptionReport {
  const { subscription, head, cursor, cursorFrame } = progress;
  const cursorTimeMicros = cursorFrame && readStamp(cursorFrame, cursorFrame.length).timeMicros;
  // A node knows its own consumers better than its last report to other nodes, which is some seconds old.
  const others = progress.members.flatMap(factsIn).filter((facts) => facts.node !== node);
  const consumers = [...groups.factsOf(subscription.subscriptionId), ...others];
  return {
    subscription,
    cursor: { epoch: subscription.epoch, offset: cursor },
    lagRecords: progress.unsettled,
    lagBytes: Math.max(0, head.nextBytes - progress.cursorBytes),
    lagAgeMs: cursorTimeMicros === undefined ? undefined : Math.max(0, (progress.nowMicros - cursorTimeMicros) / 1000),
    outstandingRecords: consumers.reduce((sum, facts) => sum + facts.outstandingRecords, 0),
    retryRecords: progress.retries,
    parkedRecords: progress.parked,
    consumers,
  };
}

/** Another node's report may come from another version. What cannot be read is left out. */
function factsIn({ facts }: Member): readonly ConsumerFacts[] {
  try {
    const told: unknown = JSON.parse(facts);
    return Array.isArray(told) ? (told as readonly ConsumerFacts[]) : [];
  } catch {
    return [];
  }
}
