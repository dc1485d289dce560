/** Opens and closes consumers, and changes their windows. */

import type { Window } from "../../../../src/core/index.js";
import type { History } from "../history.js";
import { halfClosed, left } from "../model/departures.js";
import { nameOf } from "../model/facts.js";
import { openConsumer, request } from "./calls.js";

export async function join(history: History, on: number, size: number, mode: number): Promise<void> {
  if (history.open.length >= 4) return;
  const how = mode < 0.45 ? "eager" : mode < 0.6 ? "silent" : "manual";
  openConsumer(history, history.node(on), windowOf(size, mode), how);
  await history.options.database.clock.settle();
}

export function setWindow(history: History, who: number, size: number, more: number): void {
  const consumer = history.pick(who);
  if (consumer !== undefined) request(history, consumer, { window: windowOf(size, more) });
}

/** Stalls its transport, which takes no messages, or resumes it. */
export function stall(history: History, who: number): void {
  const consumer = history.pick(who);
  if (consumer === undefined) return;
  const { model, call } = consumer;
  model.isStalled = !model.isStalled;
  history.note(`${nameOf(model)} ${model.isStalled ? "stalls" : "takes messages again"}`);
  if (model.isStalled) call.stall();
  else call.unstall();
}

export function cancel(history: History, who: number): void {
  const consumer = history.pick(who);
  if (consumer === undefined) return;
  history.note(`${nameOf(consumer.model)} cancels`);
  history.lossMs = history.nowMs;
  left(history.model, consumer.model, true);
  consumer.call.cancel();
}

export function halfClose(history: History, who: number): void {
  const consumer = history.pick(who);
  if (consumer === undefined) return;
  history.note(`${nameOf(consumer.model)} half-closes`);
  history.lossMs = history.nowMs;
  halfClosed(history.model, consumer.model);
  consumer.call.halfClose();
}

/** Small windows: many a record is larger. */
function windowOf(size: number, more: number): Window {
  if (size < 0.06) return { records: 0, bytes: 1_000_000 };
  if (size < 0.1) return { records: 10, bytes: 0 };
  return { records: 1 + Math.floor(size * 8), bytes: more < 0.5 ? 1_000_000 : 60 + Math.floor(more * 300) };
}
