import type { Claim } from "./claim.js";
import type { RecordState } from "./record-life.js";
import { type RecordRun, recordsIn, type RunFrames } from "./record-run.js";

/** A run that waits until it is redelivered. */
export interface WaitingRun extends RecordRun<Extract<RecordState, { readonly phase: "waiting" }>> {
  /** Undefined: they have to be read again. */
  readonly frames: RunFrames | undefined;
}

/** Runs that wait, the next one first: a binary heap. The budget of the node bounds it. */
export class WaitingRuns {
  #heap: WaitingRun[] = [];
  #records = 0;
  #redrivenRecords = 0;
  #frameBytes = 0;
  readonly #onCount: (records: number) => void;

  /** `onCount` is told by how many records more or fewer there are. */
  constructor(onCount: (records: number) => void) {
    this.#onCount = onCount;
  }

  get records(): number {
    return this.#records;
  }

  /** Of those, records that were redriven. */
  get redrivenRecords(): number {
    return this.#redrivenRecords;
  }

  /** Bytes of the frames that they keep. */
  get frameBytes(): number {
    return this.#frameBytes;
  }

  /** When the next one is due; undefined: none waits. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.state.dueMs;
  }

  push(run: WaitingRun): void {
    this.#count(run, 1);
    this.#insert(run);
  }

  /** Takes out up to `records` that are due. */
  takeDue(nowMs: number, records: number): WaitingRun[] {
    const due: WaitingRun[] = [];
    for (let left = records; left > 0 && (this.nextMs ?? Number.POSITIVE_INFINITY) <= nowMs; ) {
      const run = this.#take(0, left);
      due.push(run);
      left -= recordsIn(run);
    }
    return due;
  }

  /** Takes out up to `records` of the run that begins at an offset, if there is one and it is due. Looks at all. */
  takeAt(offset: number, nowMs: number, records: number): WaitingRun[] {
    const index = this.#heap.findIndex(({ firstOffset, state }) => firstOffset === offset && state.dueMs <= nowMs);
    return index === -1 ? [] : [this.#take(index, records)];
  }

  /** Takes out the first `records` of a run of the heap. */
  #take(index: number, records: number): WaitingRun {
    const run = this.#remove(index);
    this.#count(run, -1);
    if (recordsIn(run) <= records) return run;
    const { firstOffset, frames } = run;
    const split = firstOffset + records;
    this.push({ ...run, firstOffset: split, frames: frames && { ...frames, at: frames.at + records } });
    return { ...run, nextOffset: split };
  }

  drop(claim: Claim): void {
    const runs = this.#heap;
    this.#heap = [];
    for (const run of runs) {
      if (run.claim === claim) this.#count(run, -1);
      else this.#insert(run);
    }
  }

  clear(): void {
    for (const run of this.#heap) this.#count(run, -1);
    this.#heap = [];
  }

  #count(run: WaitingRun, sign: 1 | -1): void {
    const records = recordsIn(run) * sign;
    this.#records += records;
    this.#frameBytes += (run.frames?.page.length ?? 0) * sign;
    if (run.claim.kind === "redriven") this.#redrivenRecords += records;
    this.#onCount(records);
  }

  #insert(run: WaitingRun): void {
    this.#rise(run, this.#heap.push(run) - 1);
  }

  /** Puts a run into the place `from`, or further up. */
  #rise(run: WaitingRun, from: number): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(run, heap[parent] as WaitingRun)) break;
      heap[at] = heap[parent] as WaitingRun;
      at = parent;
    }
    heap[at] = run;
  }

  #remove(index: number): WaitingRun {
    const heap = this.#heap;
    const removed = heap[index] as WaitingRun;
    const last = heap.pop() as WaitingRun;
    if (index === heap.length) return removed;
    let at = index;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as WaitingRun, heap[child] as WaitingRun)) child += 1;
      if (!isBefore(heap[child] as WaitingRun, last)) break;
      heap[at] = heap[child] as WaitingRun;
      at = child;
    }
    this.#rise(last, at);
    return removed;
  }
}

/** What is due together is taken in the order of offsets. */
function isBefore(one: WaitingRun, other: WaitingRun): boolean {
  return (
    one.state.dueMs < other.state.dueMs ||
    (one.state.dueMs === other.state.dueMs && one.firstOffset < other.firstOffset)
  );
}
