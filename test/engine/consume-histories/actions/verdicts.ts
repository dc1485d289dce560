/** Verdicts of consumers on records that they have, and on records that they had. */

import type { ConsumerRequest, DeliveredRange } from "../../../../src/engine/index.js";
import type { History } from "../history.js";
import { at, request } from "./calls.js";

export function say(history: History, who: number, which: number, how: number, more: number): void {
  const consumer = history.pick(who, ({ isSilent, isEager }) => !isSilent && !isEager);
  if (consumer === undefined) return;
  const holds = [...consumer.model.holds.values()].filter(({ deadlineMs }) => deadlineMs !== Infinity);
  const from = Math.floor(which * holds.length);
  const chosen = holds.slice(from, from + 1 + Math.floor(more * 4));
  const isMismatch = history.options.isOn("attempt-mismatch-stale") && (more * 97) % 1 < 0.08;
  const verdicts = chosen.map(({ record, attempt }) => ({
    range: at(record.offset),
    attempt: isMismatch ? attempt + 1 : (more * 31) % 1 < 0.25 ? 0 : attempt,
  }));
  const [first] = verdicts;
  if (first === undefined) return sayLate(history, who, which, how, more);
  if ((more * 53) % 1 < 0.07) verdicts.push(first);
  if ((more * 59) % 1 < 0.05)
    verdicts.push({ range: { firstOffset: first.range.firstOffset, nextOffset: 2 ** 40 }, attempt: 0 });
  request(history, consumer, requestOf(how, verdicts));
}

/** A verdict on an earlier delivery, whatever its state is now. */
export function sayLate(history: History, who: number, which: number, how: number, more: number): void {
  const consumer = history.pick(who, ({ isSilent }) => !isSilent);
  const { seen } = consumer?.model ?? { seen: [] };
  const delivery = seen[Math.floor(which * seen.length)];
  if (consumer === undefined || delivery === undefined) return;
  const current = consumer.model.holds.get(delivery.offset);
  const isMismatch = current !== undefined && current.attempt !== delivery.attempt;
  if (isMismatch && !history.options.isOn("attempt-mismatch-stale")) return;
  const attempt = (more * 31) % 1 < 0.2 ? 0 : delivery.attempt;
  request(history, consumer, requestOf(how, [{ range: at(delivery.offset), attempt }]));
}

function requestOf(how: number, verdicts: readonly DeliveredRange[]): Partial<ConsumerRequest> {
  if (how < 0.35) return { acknowledge: verdicts };
  if (how < 0.42) return { acknowledgeThrough: verdicts[0]?.range.firstOffset ?? 0 };
  if (how < 0.55) return { reject: verdicts.map((each) => ({ ...each, delayMs: undefined, reason: "no" })) };
  if (how < 0.65) return { reject: verdicts.map((each) => ({ ...each, delayMs: how < 0.6 ? 0 : 1500, reason: "" })) };
  if (how < 0.72) return { park: verdicts.map((each) => ({ ...each, reason: "aside" })) };
  if (how < 0.84) return { extend: verdicts.map((each) => ({ ...each, byMs: how < 0.78 ? undefined : 6000 })) };
  return { release: verdicts };
}
