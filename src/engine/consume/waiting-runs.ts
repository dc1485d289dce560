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
      const run = this.#shift();
      this.#count(run, -1);
      const count = recordsIn(run);
      if (count > left) {
        const { firstOffset, frames } = run;
        due.push({ ...run, nextOffset: firstOffset + left });
        this.push({
          ...run,
          firstOffset: firstOffset + left,
          frames: frames && { ...frames, at: frames.at + left },
        });
      } else due.push(run);
      left -= count;
    }
    return due;
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
    const heap = this.#heap;
    let at = heap.push(run) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(run, heap[parent] as WaitingRun)) break;
      heap[at] = heap[parent] as WaitingRun;
      at = parent;
    }
    heap[at] = run;
  }

  #shift(): WaitingRun {
    const heap = this.#heap;
    const first = heap[0] as WaitingRun;
    const last = heap.pop() as WaitingRun;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as WaitingRun, heap[child] as WaitingRun)) child += 1;
      if (!isBefore(heap[child] as WaitingRun, last)) break;
      heap[at] = heap[child] as WaitingRun;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

/** What is due together is taken in the order of offsets. */
function isBefore(one: WaitingRun, other: WaitingRun): boolean {
  return (
    one.state.dueMs < other.state.dueMs ||
    (one.state.dueMs === other.state.dueMs && one.firstOffset < other.firstOffset)
  );
}
