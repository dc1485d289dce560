import type { Claim } from "./claim.js";
import type { WaitingRecord } from "./held-record.js";

/** Records that wait for their retry, the next one first: a binary heap. Its owner bounds it. */
export class RetryQueue {
  #heap: WaitingRecord[] = [];
  #redriven = 0;

  get count(): number {
    return this.#heap.length;
  }

  /** Of those, records that were redriven. */
  get redrivenCount(): number {
    return this.#redriven;
  }

  /** When the next one is due; undefined: none waits. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.dueMs;
  }

  push(record: WaitingRecord): void {
    if (record.claim.kind === "redriven") this.#redriven += 1;
    const heap = this.#heap;
    let at = heap.push(record) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(record, heap[parent] as WaitingRecord)) break;
      heap[at] = heap[parent] as WaitingRecord;
      at = parent;
    }
    heap[at] = record;
  }

  /** Takes out at most `count` that are due. */
  takeDue(nowMs: number, count: number): WaitingRecord[] {
    const due: WaitingRecord[] = [];
    while (due.length < count && (this.nextMs ?? Number.POSITIVE_INFINITY) <= nowMs) due.push(this.#shift());
    return due;
  }

  drop(claim: Claim): void {
    const left = this.#heap.filter((record) => record.claim !== claim);
    this.clear();
    for (const record of left) this.push(record);
  }

  clear(): void {
    this.#heap = [];
    this.#redriven = 0;
  }

  #shift(): WaitingRecord {
    const heap = this.#heap;
    const first = heap[0] as WaitingRecord;
    if (first.claim.kind === "redriven") this.#redriven -= 1;
    const last = heap.pop() as WaitingRecord;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as WaitingRecord, heap[child] as WaitingRecord))
        child += 1;
      if (!isBefore(heap[child] as WaitingRecord, last)) break;
      heap[at] = heap[child] as WaitingRecord;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

/** What is due together comes in the order of offsets. */
function isBefore(one: WaitingRecord, other: WaitingRecord): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.offset < other.offset);
}
