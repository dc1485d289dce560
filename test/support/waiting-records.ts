import type { Retry, Store } from "../../src/store/index.js";

export interface WaitingRecord extends Omit<Retry, "ranges" | "lanes"> {
  readonly offset: number;
  readonly lane: number | undefined;
}

/** The records that wait in some claims, by time and offset. */
export async function waitingRecords(
  store: Pick<Store, "readRetries">,
  subscriptionId: number,
  claimIds: readonly number[],
): Promise<WaitingRecord[]> {
  const records = new Map<number, WaitingRecord>();
  for (const { ranges, lanes, ...rest } of await store.readRetries(subscriptionId, claimIds)) {
    for (const { firstOffset, nextOffset } of ranges) {
      for (let offset = firstOffset; offset < nextOffset; offset++) {
        if (!records.has(offset)) records.set(offset, { ...rest, offset, lane: lanes.get(offset) });
      }
    }
  }
  return [...records.values()].toSorted((one, other) => one.delayMs - other.delayMs || one.offset - other.offset);
}
