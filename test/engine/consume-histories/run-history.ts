/**
 * One history: random actions on one or two engines, every delivery checked by the model, and an end that settles all.
 */

import { noRetention } from "../../../src/core/index.js";
import { act } from "./actions/act.js";
import { openNode } from "./actions/nodes.js";
import { HistoryFault } from "./checks.js";
import { end } from "./end.js";
import { deliveryPolicy, History, type HistoryOptions } from "./history.js";
import { settled } from "./model/holds.js";

export interface HistoryResult {
  readonly fault: HistoryFault | undefined;
  /** What happened, for people. */
  readonly log: readonly string[];
  /** The number of deliveries, as a measure of coverage. */
  readonly deliveries: number;
}

export async function runHistory(options: HistoryOptions): Promise<HistoryResult> {
  const history = new History(options);
  try {
    await run(history);
  } catch (error) {
    if (!(error instanceof HistoryFault))
      throw new Error(`${options.name} failed\n${history.log.join("\n")}`, { cause: error });
  }
  await history.close();
  return { fault: history.fault, log: history.log, deliveries: history.deliveries };
}

async function run(history: History): Promise<void> {
  const { plan, database, wallJumpMs = 0 } = history.options;
  await subscribe(history);
  let aheadMs = 0;
  for (const [index, action] of plan.actions.entries()) {
    const nextMs = (index % 2 === 0 ? 1 : -1) * wallJumpMs;
    database.clock.jumpWall(nextMs - aheadMs);
    aheadMs = nextMs;
    await act(history, action);
    await database.clock.settle();
    settled(history.model);
    history.throwFault();
  }
  await end(history);
  database.clock.jumpWall(-aheadMs);
}

/** Opens a node and creates a topic with a subscription from its beginning. */
async function subscribe(history: History): Promise<void> {
  const { name, sharing, plan } = history.options;
  const { engine } = (await openNode(history)).real.node;
  await engine.topics.create({
    name,
    labels: new Map(),
    limits: { recordBytes: 0, batchRecords: 0, batchBytes: 0 },
    retention: noRetention,
    keyed: false,
  });
  const start = { at: "earliest" } as const;
  const policy = { ...deliveryPolicy, attemptsMax: plan.attemptsMax };
  await engine.subscriptions.create({ name, topic: name, start, sharing, policy, labels: new Map() });
}
