/** Starts and kills nodes. */

import type { History, Node } from "../history.js";
import { killed } from "../model/departures.js";
import { openSimulatedNode } from "../simulation/node.js";

export async function openNode(history: History): Promise<Node> {
  const name = `n${history.nodes.length + 1}`;
  history.note(`${name} starts`);
  const { database, plan } = history.options;
  const limits = { outstandingNodeRecords: plan.nodeRecords };
  const real = await history.until(openSimulatedNode(database, { name, random: history.random, limits }));
  const node = { real, model: history.model.addNode(name) };
  if (history.isPaused) node.model.pausedAtMs = history.nowMs;
  history.nodes.push(node);
  return node;
}

export async function startNode(history: History): Promise<void> {
  if (history.alive.length < 2) await openNode(history);
}

export async function killNode(history: History, which: number): Promise<void> {
  const node = history.node(which);
  history.note(`${node.model.name} dies`);
  history.lossMs = history.nowMs;
  const sessions = history.model.consumers.filter((each) => each.node === node.model).map(({ session }) => session);
  killed(history.model, node.model);
  await node.real.kill(new Set(sessions));
  if (history.alive.length === 0) await openNode(history);
}
