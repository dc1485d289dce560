/** The records that a Commit acknowledges, one by one, each with the slot of its key: it tells which claim has the record. */

import { deliveryBounds, invalidArgument, RangeSet, staleDelivery } from "../../../core/index.js";
import type { CommitClaim, StoredSubscription } from "../../../store/index.js";
import { slotOf, StoredRecord } from "../../../wire/index.js";
import type { ConsumerGroups } from "../groups.js";
import type { DatabaseLanes } from "../../database-lanes.js";
import type { CommitCommand } from "./commit-command.js";

export type AcknowledgedRecord = CommitClaim["records"][number];

type Acknowledged = CommitCommand["acknowledge"];

/** How many frames are read at once to find their keys: each may be as large as a record can be. */
const framesPerRead = 64;

export interface Acknowledgement extends Pick<CommitCommand, "acknowledge" | "session"> {
  readonly subscription: StoredSubscription;
}

export interface AcknowledgedParts {
  readonly lanes: DatabaseLanes;
  readonly groups: Pick<ConsumerGroups, "outstandingSlots">;
}

/**
 * Errors: `invalid-argument`; `stale-delivery` where a record is gone, and this node did not deliver it: then nothing tells
 * its key.
 */
export async function acknowledgedRecords(
  parts: AcknowledgedParts,
  { subscription, acknowledge: acknowledged, session }: Acknowledgement,
  signal?: AbortSignal,
): Promise<readonly AcknowledgedRecord[]> {
  checkRanges(acknowledged);
  const records: AcknowledgedRecord[] = [];
  for (const { range, attempt } of acknowledged) {
    for (let offset = range.firstOffset; offset < range.nextOffset; offset++) {
      records.push({ offset, slot: 0, attempt });
    }
  }
  if (subscription.sharing !== "keyed") return records;
  const slots = parts.groups.outstandingSlots(subscription.subscriptionId, session, acknowledged);
  const unknown = records.filter(({ offset }) => !slots.has(offset));
  await readSlots(parts.lanes, { subscription, records: unknown, slots }, signal);
  return records.map((record) => ({ ...record, slot: slots.get(record.offset) ?? 0 }));
}

/** Checked before ranges are expanded: one of a few bytes can name very many records. */
function checkRanges(acknowledged: Acknowledged): void {
  const { commitRecords } = deliveryBounds;
  let count = 0;
  acknowledged.forEach(({ range, attempt }, index) => {
    const field = `acknowledge[${index}]`;
    if (!(range.firstOffset >= 0 && range.firstOffset < range.nextOffset)) {
      throw invalidArgument(`${field}.offsets`, "next_offset must be above first_offset");
    }
    if (!(Number.isInteger(attempt) && attempt >= 0)) {
      throw invalidArgument(`${field}.attempt`, "must be a whole number from 1 on, or 0 for any attempt");
    }
    count += range.nextOffset - range.firstOffset;
  });
  if (count === 0) throw invalidArgument("acknowledge", "at least one record is required");
  if (count > commitRecords) {
    throw invalidArgument("acknowledge", `at most ${commitRecords} records are allowed in a Commit, got ${count}`);
  }
  const ascending = acknowledged
    .map(({ range }, index) => ({ ...range, index }))
    .toSorted((one, other) => one.firstOffset - other.firstOffset);
  ascending.forEach(({ firstOffset, index }, place) => {
    const before = ascending[place - 1];
    if (before !== undefined && before.nextOffset > firstOffset) {
      throw invalidArgument(`acknowledge[${index}].offsets`, `a record may be named once: ${firstOffset} is twice`);
    }
  });
}

interface UnknownSlots {
  readonly subscription: StoredSubscription;
  readonly records: readonly AcknowledgedRecord[];
  /** By offset: those of `records` are added. */
  readonly slots: Map<number, number>;
}

async function readSlots(
  lanes: DatabaseLanes,
  { subscription: { name, subscriptionId }, records, slots }: UnknownSlots,
  signal?: AbortSignal,
): Promise<void> {
  const record = new StoredRecord();
  for (let at = 0; at < records.length; at += framesPerRead) {
    const offsets = records.slice(at, at + framesPerRead).map(({ offset }) => offset);
    const found = await lanes.run("live", (store) => store.readRetryFrames(subscriptionId, offsets), signal);
    for (const { offset, frame } of found) {
      const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
      slots.set(offset, slotOf(record.walk(bytes, 0, bytes.length).keyQueue, offset));
    }
  }
  const gone = new RangeSet();
  for (const { offset } of records) if (!slots.has(offset)) gone.add(offset, offset + 1);
  if (!gone.isEmpty) throw staleDelivery(name, gone);
}
