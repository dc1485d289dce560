/**
 * Notices of what a Commit settled, for the node that delivered it. They are sent after the Commit's transaction, so
 * that no commit waits for Postgres' lock of notifications. A notice may get lost; `findSettled` finds the same facts.
 */

import { sql } from "kysely";
import { deliveryBounds } from "../../../core/index.js";
import type { ListenSettledHandlers, SettledNotice, SettledRange } from "../../claim-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";

const channel = "millrace_settled";

/** Postgres accepts payloads of fewer than 8000 bytes. Ours are ASCII. */
const payloadBytesMax = 7999;

/** Locks: the lock of all notifications, during its commit. */
const notify = prepareStatement({
  name: "announce_settled",
  values: { channel: "text", payload: "text" },
  build: (value) => sql<object>`select pg_notify(${value.channel}, ${value.payload})`,
});

export async function announceSettled(database: Database, notice: SettledNotice): Promise<void> {
  // An embedded database has one node: no other listens.
  if (database.kind === "embedded") return;
  await database.run(notify, { channel, payload: encodeNotice(notice) });
}

export function listenSettled(
  database: Database,
  { onNotice, onGap }: ListenSettledHandlers,
  signal: AbortSignal,
): Promise<void> {
  const onPayload = (payload: string): void => {
    const notice = decodeNotice(payload);
    if (notice !== undefined) onNotice(notice);
  };
  return database.listen(channel, { onPayload, onGap }, signal);
}

/** A notice that is too long is sent without its records: the receiver must ask `findSettled`. */
export function encodeNotice({ subscriptionId, session, records }: SettledNotice): string {
  const runs = records?.map(({ firstOffset, nextOffset, attempt }) => [firstOffset, nextOffset, attempt]);
  const payload = JSON.stringify({ subscriptionId, session, records: runs });
  return payload.length <= payloadBytesMax ? payload : JSON.stringify({ subscriptionId, session });
}

/** Undefined: the notice is not ours. Any user who may connect may notify. */
export function decodeNotice(payload: string): SettledNotice | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(payload);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { subscriptionId, session, records } = parsed as { readonly [name: string]: unknown };
  if (!isWhole(subscriptionId) || !isWhole(session)) return undefined;
  const runs = Array.isArray(records) ? records.map(decodeRun) : undefined;
  // No records, or in another form: the receiver asks `findSettled`.
  if (runs === undefined || runs.some((run) => run === undefined))
    return { subscriptionId, session, records: undefined };
  const known = runs as readonly SettledRange[];
  const count = known.reduce((sum, { firstOffset, nextOffset }) => sum + nextOffset - firstOffset, 0);
  return { subscriptionId, session, records: count > deliveryBounds.commitRecords ? undefined : known };
}

function decodeRun(run: unknown): SettledRange | undefined {
  if (!Array.isArray(run)) return undefined;
  const [firstOffset, nextOffset, attempt] = run as readonly unknown[];
  if (!isWhole(firstOffset) || !isWhole(nextOffset) || !isWhole(attempt)) return undefined;
  return firstOffset < nextOffset ? { firstOffset, nextOffset, attempt } : undefined;
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);
