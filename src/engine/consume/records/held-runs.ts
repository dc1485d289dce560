/**
 * The records that one consumer has, as runs in the order of offsets. Each operation is a binary search and a walk over the
 * runs that are there, however long the ranges are that a client names.
 */

import type { OffsetRange } from "../../../core/index.js";
import { step } from "./record-life.js";
import { attemptOf, bytesOfHeld, type HeldRun, partOf, recordsIn } from "./record-run.js";

/** A range of records that somebody names. */
export interface AskedRange extends OffsetRange {
  /** 0: any. */
  readonly attempt: number;
}

/** Gives what stays of a part of a run that was asked for; undefined: it is taken out. */
type Use<Asked> = (part: HeldRun, asked: Asked) => HeldRun | undefined;

/** The most runs that one `splice` takes as arguments: more would overflow the stack. */
const splicedRunsMax = 1000;

export class HeldRuns {
  #runs: HeldRun[] = [];
  /** No deadline is earlier. It is a lower bound: the run that had it may be gone. */
  #earliestDeadlineMs = Number.POSITIVE_INFINITY;
  #records = 0;
  #bytes = 0;
  readonly #onCount: (records: number) => void;

  /** `onCount` is called with the change of the number of records. */
  constructor(onCount: (records: number) => void) {
    this.#onCount = onCount;
  }

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a run that no consumer has. */
  add(run: HeldRun): void {
    this.#count(run, 1);
    const last = this.#runs.at(-1);
    if (last === undefined || last.nextOffset <= run.firstOffset) this.#runs.push(run);
    else this.#runs.splice(this.#indexFrom(run.firstOffset), 0, run);
  }

  /**
   * Looks for the records of ranges, which ascend and lie apart. `use` is called for the parts that are here with the
   * attempt that is asked for, `onMissing` for all others.
   */
  use<Asked extends AskedRange>(
    ranges: readonly Asked[],
    use: Use<Asked>,
    onMissing: (firstOffset: number, nextOffset: number, asked: Asked) => void,
  ): void {
    const [first] = ranges;
    if (first === undefined) return;
    const from = this.#indexFrom(first.firstOffset);
    let index = from;
    const left: HeldRun[] = [];
    /** What is left of the run at `index`. */
    let run = this.#runs[index];
    for (const asked of ranges) {
      let at = asked.firstOffset;
      while (run !== undefined && run.firstOffset < asked.nextOffset) {
        if (run.nextOffset <= at) {
          left.push(run);
          run = this.#runs[++index];
          continue;
        }
        if (run.firstOffset < at) {
          left.push(partOf(run, run.firstOffset, at));
          run = partOf(run, at, run.nextOffset);
        }
        if (run.firstOffset > at) onMissing(at, run.firstOffset, asked);
        const end = Math.min(run.nextOffset, asked.nextOffset);
        const part = partOf(run, run.firstOffset, end);
        at = end;
        if (asked.attempt !== 0 && asked.attempt !== attemptOf(part)) {
          onMissing(part.firstOffset, part.nextOffset, asked);
          left.push(part);
        } else {
          this.#count(part, -1);
          const kept = use(part, asked);
          if (kept !== undefined) {
            this.#count(kept, 1);
            left.push(kept);
          }
        }
        run = end < run.nextOffset ? partOf(run, end, run.nextOffset) : this.#runs[++index];
      }
      if (at < asked.nextOffset) onMissing(at, asked.nextOffset, asked);
    }
    // The run at `index` may have been used in part.
    if (run !== undefined && run !== this.#runs[index]) {
      left.push(run);
      index += 1;
    }
    this.#replace(from, index, left);
  }

  /** Takes out the records of a range. */
  take(range: OffsetRange, onTaken: (run: HeldRun) => void): void {
    this.use(
      [{ ...range, attempt: 0 }],
      (part) => {
        onTaken(part);
        return undefined;
      },
      () => undefined,
    );
  }

  takeWhere(isTaken: (run: HeldRun) => boolean, onTaken: (run: HeldRun) => void): void {
    const taken: HeldRun[] = [];
    this.#runs = this.#runs.filter((run) => {
      if (!isTaken(run)) return true;
      taken.push(run);
      return false;
    });
    for (const run of taken) {
      this.#count(run, -1);
      onTaken(run);
    }
  }

  /** Takes all out. */
  takeAll(): readonly HeldRun[] {
    const runs = this.#runs;
    this.#runs = [];
    for (const run of runs) this.#count(run, -1);
    this.#earliestDeadlineMs = Number.POSITIVE_INFINITY;
    return runs;
  }

  /** The transport took the records of a range: their deadlines begin. */
  delivered(range: OffsetRange, deadlineMs: number): void {
    const { firstOffset, nextOffset } = range;
    for (let index = this.#indexFrom(firstOffset); index < this.#runs.length; index++) {
      const run = this.#runs[index] as HeldRun;
      if (run.firstOffset >= nextOffset) return;
      run.state = step(run.state, { type: "delivered", deadlineMs });
      this.#noteDeadline(run);
    }
  }

  /** Takes out runs whose deadline has passed. */
  takeLate(nowMs: number, onLate: (run: HeldRun) => void): void {
    if (this.#earliestDeadlineMs > nowMs) return;
    this.#earliestDeadlineMs = Number.POSITIVE_INFINITY;
    this.takeWhere((run) => {
      if (deadlineOf(run) <= nowMs) return true;
      this.#noteDeadline(run);
      return false;
    }, onLate);
  }

  [Symbol.iterator](): Iterator<HeldRun> {
    return this.#runs.values();
  }

  #count(run: HeldRun, sign: 1 | -1): void {
    const records = recordsIn(run) * sign;
    this.#records += records;
    this.#bytes += bytesOfHeld(run) * sign;
    run.claim.outstanding += records;
    this.#onCount(records);
    if (sign === 1) this.#noteDeadline(run);
  }

  #noteDeadline(run: HeldRun): void {
    this.#earliestDeadlineMs = Math.min(this.#earliestDeadlineMs, deadlineOf(run));
  }

  #replace(from: number, to: number, runs: readonly HeldRun[]): void {
    if (runs.length <= splicedRunsMax) this.#runs.splice(from, to - from, ...runs);
    else this.#runs = [...this.#runs.slice(0, from), ...runs, ...this.#runs.slice(to)];
  }

  /** The index of the first run that ends above an offset. */
  #indexFrom(offset: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle] as HeldRun).nextOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function deadlineOf({ state }: HeldRun): number {
  return state.phase === "sending" || state.phase === "outstanding" ? state.deadlineMs : Number.POSITIVE_INFINITY;
}
