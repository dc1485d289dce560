/**
 * Parked records: listing, redriving and discarding them. Each works in pages in the order of offsets, so that neither
 * many records nor large ones need much memory or one long statement.
 */

import { invalidArgument, type OffsetRange, parkedNotFound, RangeSet } from "../../core/index.js";
import type { Filter } from "../../filter/index.js";
import type { StoredParked } from "../../store/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { findSubscription } from "../consume/find-subscription.js";
import type { ConsumerGroups } from "../consume/groups.js";

/** Selects parked records: all of them or some ranges, and of those the ones that match. */
export interface ParkedSelection {
  readonly subscription: string;
  /** Empty: all. */
  readonly offsets: readonly OffsetRange[];
  readonly filter: Filter | undefined;
}

export interface ParkedParts {
  readonly lanes: DatabaseLanes;
  readonly groups: Pick<ConsumerGroups, "nudge">;
}

/** What one statement reads. A record also has its reasons, up to a hundred KiB of them. */
const pageRecords = 250;
const pageBytes = 2 * 1024 * 1024;
/** How many records one statement changes. */
const changedRecords = 1000;
/** How many pages one listing reads: a filter may match nothing. */
const listedPages = 20;
/** How many bytes one listing returns: an answer has to fit into one message. */
const listedBytes = 2 * 1024 * 1024;

const endOfOffsets = Number.MAX_SAFE_INTEGER;

/** Up to `count` matching records from offset `from` on. Fewer if they are large or few match. */
export async function listParked(
  { lanes }: ParkedParts,
  request: {
    readonly subscription: string;
    readonly filter: Filter | undefined;
    readonly from: number;
    readonly count: number;
  },
): Promise<{ readonly records: readonly StoredParked[]; readonly next: number | undefined }> {
  const { filter, count } = request;
  const { subscriptionId } = await findSubscription(lanes, request.subscription);
  const records: StoredParked[] = [];
  let bytes = 0;
  let from = request.from;
  for (let pages = 0; pages < listedPages; pages++) {
    // One record more than requested shows whether others follow.
    const most = filter === undefined ? Math.min(pageRecords, count - records.length + 1) : pageRecords;
    const page = await readParked(lanes, { subscriptionId, from, until: endOfOffsets, count: most });
    if (page.length === 0) return { records, next: undefined };
    for (const parked of page) {
      if (matches(filter, parked)) {
        const size = bytesOf(parked);
        if (records.length === count || (records.length > 0 && bytes + size > listedBytes)) {
          return { records, next: parked.offset };
        }
        records.push(parked);
        bytes += size;
      }
      from = parked.offset + 1;
    }
  }
  return { records, next: from };
}

/** Errors: `parked-not-found`. */
export async function getParked({ lanes }: ParkedParts, name: string, offset: number): Promise<StoredParked> {
  const { subscriptionId } = await findSubscription(lanes, name);
  const [parked] = await readParked(lanes, { subscriptionId, from: offset, until: offset + 1, count: 1 });
  if (parked === undefined) throw parkedNotFound(name, offset);
  return parked;
}

/**
 * Redrives at this rate, the first record at once. 0: all at once. After an error or an abort, what was done stays
 * done.
 */
export async function redriveParked(
  parts: ParkedParts,
  selection: ParkedSelection,
  ratePerSecond: number,
  signal: AbortSignal,
): Promise<number> {
  if (!(ratePerSecond >= 0 && Number.isFinite(ratePerSecond)))
    throw invalidArgument("rate", "must be a number from 0 on");
  const stepMicros = ratePerSecond === 0 ? 0 : 1e6 / ratePerSecond;
  return changeParked(
    parts,
    selection,
    (subscriptionId, offsets, before) =>
      parts.lanes.run(
        "live",
        (store) => store.redriveParked({ subscriptionId, offsets, delayMs: (before * stepMicros) / 1000, stepMicros }),
        signal,
      ),
    signal,
  );
}

/** Returns how many records were discarded. After an error or an abort, what was done stays done. */
export async function discardParked(
  parts: ParkedParts,
  selection: ParkedSelection,
  signal: AbortSignal,
): Promise<number> {
  return changeParked(
    parts,
    selection,
    (subscriptionId, offsets) =>
      parts.lanes.run("live", (store) => store.discardParked(subscriptionId, offsets), signal),
    signal,
  );
}

/**
 * Changes the selected records that are parked when it begins, page by page. `change` gets the number of records
 * changed before, and returns how many of its own were still parked.
 */
async function changeParked(
  { lanes, groups }: ParkedParts,
  selection: ParkedSelection,
  change: (subscriptionId: number, offsets: readonly number[], before: number) => Promise<number>,
  signal: AbortSignal,
): Promise<number> {
  const { subscriptionId } = await findSubscription(lanes, selection.subscription, signal);
  let changed = 0;
  for await (const offsets of selectedPages(lanes, subscriptionId, selection, signal)) {
    changed += await change(subscriptionId, offsets, changed);
    groups.nudge(subscriptionId);
  }
  return changed;
}

/** The offsets of the selected records, in pages. */
async function* selectedPages(
  lanes: DatabaseLanes,
  subscriptionId: number,
  { offsets, filter }: ParkedSelection,
  signal: AbortSignal,
): AsyncGenerator<readonly number[], void, undefined> {
  const ranges = rangesOf(offsets);
  const until = ranges.at(-1)?.nextOffset ?? 0;
  // A redriven record may be parked again meanwhile. It then belongs to the next call.
  const nowMicros = await lanes.run("live", (store) => store.now(), signal);
  let selected: number[] = [];
  let index = 0;
  let from = 0;
  for (;;) {
    while (index < ranges.length && (ranges[index] as OffsetRange).nextOffset <= from) index += 1;
    const range = ranges[index];
    if (range === undefined) break;
    // Up to the last range: many small ranges take few pages.
    from = Math.max(from, range.firstOffset);
    const page = await readParked(lanes, { subscriptionId, from, until, count: pageRecords }, signal);
    if (page.length === 0) break;
    for (const parked of page) {
      while (index < ranges.length && (ranges[index] as OffsetRange).nextOffset <= parked.offset) index += 1;
      const isInRange = parked.offset >= (ranges[index]?.firstOffset ?? Number.POSITIVE_INFINITY);
      if (isInRange && parked.parkedMicros <= nowMicros && matches(filter, parked)) selected.push(parked.offset);
      from = parked.offset + 1;
    }
    if (selected.length + pageRecords <= changedRecords) continue;
    yield selected;
    selected = [];
  }
  if (selected.length > 0) yield selected;
}

/** Ascending and disjoint. None: everything. */
function rangesOf(offsets: readonly OffsetRange[]): readonly OffsetRange[] {
  if (offsets.length === 0) return [{ firstOffset: 0, nextOffset: endOfOffsets }];
  return [...new RangeSet(offsets)];
}

async function readParked(
  lanes: DatabaseLanes,
  request: {
    readonly subscriptionId: number;
    readonly from: number;
    readonly until: number;
    readonly count: number;
  },
  signal?: AbortSignal,
): Promise<readonly StoredParked[]> {
  return lanes.run("history", (store) => store.listParked({ ...request, bytes: pageBytes }), signal);
}

function matches(filter: Filter | undefined, { frame }: StoredParked): boolean {
  if (filter === undefined) return true;
  return filter.matches(Buffer.from(frame.buffer, frame.byteOffset, frame.length), 0, frame.length);
}

/** About how many bytes a record takes in an answer. */
function bytesOf({ frame, reasons }: StoredParked): number {
  return reasons.reduce((sum, reason) => sum + Buffer.byteLength(reason) + 3, frame.length + 32);
}
