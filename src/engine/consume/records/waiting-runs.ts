import type { Claim } from "./claim.js";
import type { RecordState } from "./record-life.js";
import { type RecordRun, recordsIn, type RunFrames } from "./record-run.js";

/** A run that waits for its redelivery. */
export interface WaitingRun extends RecordRun<Extract<RecordState, { readonly phase: "waiting" }>> {
  /** Undefined: they have to be read from the database. */
  readonly frames: RunFrames | undefined;
}

/** All waiting runs of a claim. */
interface Waiting {
  runs: number;
  records: number;
  frameBytes: number;
  /** The claim was dropped: its entries in the heap do not count, and are removed when they reach the top. */
  isDropped: boolean;
}

interface Entry {
  readonly run: WaitingRun;
  readonly of: Waiting;
}

/**
 * Runs that wait, in a binary heap by the time when they are due. The budget of the node bounds it. Dropping a claim does not
 * touch the entries of other claims: there may be as many claims as runs.
 */
export class WaitingRuns {
  /** Its top is never of a dropped claim. */
  #heap: Entry[] = [];
  readonly #claims = new Map<Claim, Waiting>();
  /** How many entries of the heap are of dropped claims. */
  #dropped = 0;
  #records = 0;
  #redrivenRecords = 0;
  #frameBytes = 0;
  readonly #onCount: (records: number) => void;

  /** `onCount` is called with the change of the number of records. */
  constructor(onCount: (records: number) => void) {
    this.#onCount = onCount;
  }

  get records(): number {
    return this.#records;
  }

  /** Those of them that were redriven. */
  get redrivenRecords(): number {
    return this.#redrivenRecords;
  }

  /** Bytes of the frames that are kept with them. */
  get frameBytes(): number {
    return this.#frameBytes;
  }

  /** When the next run is due, by the monotonic clock; undefined: none waits. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.run.state.dueMs;
  }

  push(run: WaitingRun): void {
    let of = this.#claims.get(run.claim);
    if (of === undefined) this.#claims.set(run.claim, (of = { runs: 0, records: 0, frameBytes: 0, isDropped: false }));
    of.runs += 1;
    of.records += recordsIn(run);
    of.frameBytes += frameBytesOf(run);
    this.#count(run.claim, recordsIn(run), frameBytesOf(run));
    this.#insert({ run, of });
  }

  /** Takes out up to `records` records that are due. */
  takeDue(nowMs: number, records: number): WaitingRun[] {
    const due: WaitingRun[] = [];
    for (let left = records; left > 0 && (this.nextMs ?? Number.POSITIVE_INFINITY) <= nowMs; ) {
      const run = this.#take(0, left);
      due.push(run);
      left -= recordsIn(run);
    }
    return due;
  }

  /** Takes out up to `records` records of the run that begins at an offset, if it is due. Searches the whole heap. */
  takeAt(offset: number, nowMs: number, records: number): WaitingRun[] {
    const index = this.#heap.findIndex(
      ({ run, of }) => run.firstOffset === offset && run.state.dueMs <= nowMs && !of.isDropped,
    );
    return index === -1 ? [] : [this.#take(index, records)];
  }

  drop(claim: Claim): void {
    const of = this.#claims.get(claim);
    if (of === undefined) return;
    this.#claims.delete(claim);
    of.isDropped = true;
    this.#dropped += of.runs;
    this.#count(claim, -of.records, -of.frameBytes);
    if (this.#dropped * 2 > this.#heap.length) this.#sweep();
    else this.#skipDropped();
  }

  clear(): void {
    for (const claim of this.#claims.keys()) this.drop(claim);
  }

  #count(claim: Claim, records: number, frameBytes: number): void {
    this.#records += records;
    this.#frameBytes += frameBytes;
    if (claim.kind === "redriven") this.#redrivenRecords += records;
    this.#onCount(records);
  }

  /** Takes out the first `records` records of the run at an index, and puts the rest back. */
  #take(index: number, records: number): WaitingRun {
    const run = this.#takeWhole(index);
    if (recordsIn(run) <= records) return run;
    const { firstOffset, frames } = run;
    const split = firstOffset + records;
    this.push({ ...run, firstOffset: split, frames: frames && { ...frames, at: frames.at + records } });
    return { ...run, nextOffset: split };
  }

  #takeWhole(index: number): WaitingRun {
    const { run, of } = this.#remove(index);
    of.runs -= 1;
    of.records -= recordsIn(run);
    of.frameBytes -= frameBytesOf(run);
    if (of.runs === 0) this.#claims.delete(run.claim);
    this.#count(run.claim, -recordsIn(run), -frameBytesOf(run));
    this.#skipDropped();
    return run;
  }

  #skipDropped(): void {
    while (this.#heap[0]?.of.isDropped === true) {
      this.#remove(0);
      this.#dropped -= 1;
    }
  }

  /** Removes all entries of dropped claims, and frees their memory. */
  #sweep(): void {
    const entries = this.#heap;
    this.#heap = [];
    this.#dropped = 0;
    for (const entry of entries) if (!entry.of.isDropped) this.#insert(entry);
  }

  #insert(entry: Entry): void {
    this.#rise(entry, this.#heap.push(entry) - 1);
  }

  /** Puts an entry at the index `from`, or further up. */
  #rise(entry: Entry, from: number): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(entry, heap[parent] as Entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  #remove(index: number): Entry {
    const heap = this.#heap;
    const removed = heap[index] as Entry;
    const last = heap.pop() as Entry;
    if (index === heap.length) return removed;
    let at = index;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    this.#rise(last, at);
    return removed;
  }
}

function frameBytesOf({ frames }: WaitingRun): number {
  return frames?.page.length ?? 0;
}

/** Runs that are due at the same time are in the order of their offsets. */
function isBefore({ run: one }: Entry, { run: other }: Entry): boolean {
  return (
    one.state.dueMs < other.state.dueMs ||
    (one.state.dueMs === other.state.dueMs && one.firstOffset < other.firstOffset)
  );
}
