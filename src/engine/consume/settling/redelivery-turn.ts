/** When a group may redeliver, and how much at once. */

import type { Limits } from "../../../core/index.js";
import type { ConsumerSet } from "../handing-out/consumer-set.js";
import type { ReadyRecords } from "../handing-out/ready-records.js";
import type { DeliverySettings } from "./delivery-settings.js";
import type { Ledger } from "./ledger.js";
import type { Redelivery } from "./redelivery.js";
import type { SettleWriter } from "./settle-writer.js";

/** Redelivered records that may be in memory. */
const redeliveriesMax = 500;

export interface RedeliveryTurnParts {
  readonly topic: { readonly meanFrameBytes: number };
  readonly limits: Pick<Limits, "consumeAheadBytes">;
  readonly ledger: Pick<Ledger, "isHeld">;
  readonly settings: Readonly<DeliverySettings>;
  readonly consumers: Pick<ConsumerSet, "hasRoom">;
  readonly ready: Pick<ReadyRecords, "redeliveryCount">;
  readonly redelivery: Pick<Redelivery, "isFetching" | "expectedOffset" | "nextMs" | "redeliver" | "redeliverFirst">;
  readonly writer: Pick<SettleWriter, "isStuck">;
}

/** Which waiting records may be brought now. */
type RedeliveryTurn =
  | "none"
  /** All that are due, as far as there is room. */
  | "due"
  /** There is no room, and a consumer waits for a record that precedes all that fills it: that one, if it is due. */
  | "first";

/** Brings waiting records, however much is read ahead: in KEYED groups all of that may wait for them. */
export function redeliverInTurn(parts: RedeliveryTurnParts, nowMs: number): void {
  const { redelivery } = parts;
  const turn = turnOf(parts);
  switch (turn) {
    case "due":
      return redelivery.redeliver(nowMs, redeliveryRoom(parts));
    case "first":
      return redelivery.redeliverFirst(nowMs);
    case "none":
      return;
    default:
      turn satisfies never;
  }
}

/** How long until waiting records may be brought, 0 or less: now; Infinity: nothing tells. */
export function redeliveryWaitMs(parts: RedeliveryTurnParts, nowMs: number): number {
  const turn = turnOf(parts);
  switch (turn) {
    case "due":
      return parts.redelivery.nextMs - nowMs;
    case "first":
      return 0;
    case "none":
      return Number.POSITIVE_INFINITY;
    default:
      return turn satisfies never;
  }
}

function turnOf(parts: RedeliveryTurnParts): RedeliveryTurn {
  const { ledger, settings, redelivery, writer, consumers } = parts;
  if (!ledger.isHeld || settings.isPaused || redelivery.isFetching) return "none";
  if (redeliveryRoom(parts) > 0) return "due";
  const isExpected = redelivery.expectedOffset !== Number.POSITIVE_INFINITY;
  return isExpected && !writer.isStuck && consumers.hasRoom ? "first" : "none";
}

/** How many more redelivered records may be in memory: few where they are large. */
function redeliveryRoom({ topic, limits, ready }: RedeliveryTurnParts): number {
  const fitting = Math.max(1, Math.floor(limits.consumeAheadBytes / topic.meanFrameBytes));
  return Math.min(redeliveriesMax, fitting) - ready.redeliveryCount;
}
