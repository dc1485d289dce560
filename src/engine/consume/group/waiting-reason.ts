/** Why a consumer gets nothing at this moment, the reason first that hides the others: heartbeats and Describe tell it. */

import type { ConsumerWaiting } from "../../../core/index.js";
import type { Consumer } from "../handing-out/consumer.js";
import { type FairShareParts, isOutdone } from "../handing-out/fair-share.js";
import type { HeldClaims } from "../records/held-claims.js";
import type { OutstandingBudget } from "../records/outstanding-budget.js";
import { frameEnd, frameStart } from "../records/record-run.js";
import type { DeliverySettings } from "../settling/delivery-settings.js";
import type { Ledger } from "../settling/ledger.js";
import type { Redelivery } from "../settling/redelivery.js";
import type { SettleWriter } from "../settling/settle-writer.js";

export interface WaitingReasonParts extends FairShareParts {
  readonly settings: Readonly<DeliverySettings>;
  readonly ledger: Pick<Ledger, "isHeld">;
  readonly budget: Pick<OutstandingBudget, "roomFor">;
  readonly claims: Pick<HeldClaims, "size">;
  readonly redelivery: Pick<Redelivery, "isBacklogFull" | "isFetching" | "count">;
  readonly writer: Pick<SettleWriter, "isBehind">;
}

/** `isReading`: the database was asked for more records. */
export function waitingReason(consumer: Consumer, parts: WaitingReasonParts, isReading: boolean): ConsumerWaiting {
  const { sharing, settings, ledger, budget, claims, ready, redelivery, writer } = parts;
  if (settings.isPaused) return "paused";
  if (consumer.window.bytes === 0) return "window-full-bytes";
  if (consumer.room === 0) return "window-full-records";
  if (!ledger.isHeld || writer.isBehind) return "database";
  if (budget.roomFor(consumer) === 0) return "node-budget";
  if (isOutdone(consumer, parts)) return "other-consumers";
  const next = ready.peek(consumer, redelivery.isBacklogFull);
  if (next !== undefined) {
    const size = frameEnd(next.frames, 0) - frameStart(next.frames, 0);
    return size > consumer.byteRoom ? "window-full-bytes" : "nothing";
  }
  if (redelivery.isBacklogFull) return "retry-backlog-full";
  if (ready.count > 0) return "keys-busy";
  if (claims.size === 0 && sharing !== "shared") return "other-consumers";
  if (isReading || redelivery.isFetching) return "database";
  if (redelivery.count > 0) return "retry-delay";
  return "caught-up";
}
