/** Control operations on a subscription and its topic. */

import { hearsayMs, type History } from "../history.js";
import { sought } from "../model/seek.js";
import { trimming } from "../model/trims.js";

export async function seek(history: History, on: number, where: number): Promise<void> {
  const { records, trims } = history.model;
  // More often back than forward.
  const end = records.length;
  const offset = where < 0.85 ? Math.floor((where / 0.85) * end) : end;
  const node = history.node(on);
  history.note(`seek to ${offset} on ${node.model.name}`);
  history.lossMs = history.nowMs;
  const earliest = Math.max(0, ...trims.map(({ before }) => before));
  sought(history.model, node.model, Math.max(offset, earliest));
  await history.until(node.real.node.engine.subscriptions.seek(history.options.name, { at: "offset", offset }));
}

export async function setPaused(history: History, on: number, isPaused: boolean): Promise<void> {
  const node = history.node(on);
  history.note(`${isPaused ? "pause" : "resume"} on ${node.model.name}`);
  history.isPaused = isPaused;
  for (const { model } of history.nodes) model.pausedAtMs = undefined;
  await history.until(node.real.node.engine.subscriptions.setPaused(history.options.name, isPaused));
  await history.options.database.clock.settle();
  if (!isPaused) return;
  for (const { model } of history.nodes) {
    model.pausedAtMs = history.nowMs + (model === node.model ? 0 : hearsayMs);
  }
}

export async function trim(history: History, on: number, where: number): Promise<void> {
  const node = history.node(on);
  const { records, trims } = history.model;
  const before = Math.floor(where * 0.7 * records.length);
  if (trims.some((trim) => trim.before >= before)) return;
  history.note(`trim before ${before} on ${node.model.name}`);
  const answered = trimming(history.model, node.model, before);
  await history.until(node.real.node.engine.topics.trim(history.options.name, before, 0));
  answered();
}
