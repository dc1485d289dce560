import type { Window } from "../../core/index.js";

/** The first window of a user who names none: the server grants each consumer this many records, however busy it is. */
export const firstRecords = 16;
/** A record is released when no work on it has begun in this part of its deadline. */
export const releaseShare = 1 / 2;
/** A window that shrinks is sized so that work on all its records begins in this part of the deadline. */
const shrinkShare = 3 / 8;
/** A window grows if work on all its records would begin in this part of the deadline. */
const growShare = 1 / 4;
/** After the window has shrunk, the server may exceed it for up to this part of the deadline. */
const settleShare = 1 / 8;
/** The weight of earlier measurements after an eighth of a deadline. */
const decay = 0.8;

export interface WorkingWindowOptions {
  /** What the user asked for. */
  readonly asked: Window;
  /** The first window, in records; undefined: the one that the user asked for. */
  readonly firstRecords: number | undefined;
}

/**
 * How many records to request: as many as the consumer can begin in about half of a deadline, up to what the user asked
 * for. Records that it does not begin in time are released. With too large a window, those records would be sent back
 * and forth between the server and this consumer.
 *
 * The window measures the time that one record takes: the time in which the consumer did not wait for records, divided
 * by the records that it began. This gives how long the last record of a window waits.
 *
 * - It shrinks, at least to half, when records had to be released, but never below the number worked on at once.
 * - It doubles when work on a whole window has begun, and twice as much would begin within a quarter of a deadline. It
 *   also doubles when its consumer waits for more records while a whole window is outstanding.
 *
 * Callers pass the time, from a monotonic clock.
 */
export class WorkingWindow {
  #asked: Window;
  #recordsMax: number;
  /** How many records are worked on at once. */
  #concurrency = 1;
  #deadlineMs = Infinity;
  /** Records begun since the last check whether to grow. */
  #begunSinceCheck = 0;
  #begun = 0;
  #busyMs = 0;
  /** `busyMs` is counted up to this time. */
  #countedUntilMs = 0;
  #shrunkMs = -Infinity;
  #isStarved = true;

  constructor({ asked, firstRecords: first = Infinity }: WorkingWindowOptions) {
    this.#asked = asked;
    this.#recordsMax = first;
  }

  /** What the user asked for. */
  get asked(): Window {
    return this.#asked;
  }

  set asked(window: Window) {
    this.#asked = window;
  }

  /** What to request from the server. */
  get window(): Window {
    return { records: Math.min(this.#asked.records, this.#recordsMax), bytes: this.#asked.bytes };
  }

  set concurrency(records: number) {
    this.#concurrency = records;
    this.#recordsMax = Math.max(this.#recordsMax, records);
  }

  set deadlineMs(ms: number) {
    this.#deadlineMs = ms;
  }

  /** Records arrived: the consumer no longer waits. */
  fed(nowMs: number): void {
    if (!this.#isStarved) return;
    this.#countedUntilMs = nowMs;
    this.#isStarved = false;
  }

  /** The consumer waits for records, while `outstanding` of them are not settled. True: the window has grown. */
  starved(outstanding: number, clock: () => number): boolean {
    if (!this.#isStarved) {
      this.#countBusy(clock());
      this.#isStarved = true;
    }
    return outstanding >= this.#recordsMax && this.#grow();
  }

  /** The consumer began to work on records. True: the window has grown. */
  begun(records: number, clock: () => number): boolean {
    this.#begun += records;
    this.#begunSinceCheck += records;
    if (this.#recordsMax >= this.#asked.records || this.#begunSinceCheck < this.#recordsMax) return false;
    this.#begunSinceCheck = 0;
    this.#countBusy(clock());
    const waiting = Math.min(2 * this.#recordsMax, this.#asked.records) - this.#concurrency;
    return waiting * this.#workMs <= this.#deadlineMs * growShare && this.#grow();
  }

  /** An eighth of a deadline has passed. */
  passed(nowMs: number): void {
    this.#countBusy(nowMs);
    this.#busyMs *= decay;
    this.#begun *= decay;
  }

  /** Records were released before work on them began; the last one had arrived at `arrivedMs`. True: it has shrunk. */
  released(arrivedMs: number, nowMs: number): boolean {
    // They arrived before the server knew the present window, or the user has paused the consumption.
    if (arrivedMs < this.#shrunkMs + this.#deadlineMs * settleShare || this.#asked.records === 0) return false;
    this.#shrunkMs = nowMs;
    this.#countBusy(nowMs);
    const inTime = this.#concurrency + Math.floor((this.#deadlineMs * shrinkShare) / this.#workMs);
    const half = Math.floor(this.window.records / 2);
    this.#recordsMax = Math.max(1, this.#concurrency, Math.min(inTime, half));
    this.#begunSinceCheck = 0;
    return true;
  }

  /** The time that one record takes, that is, what it adds to the wait of the next. */
  get #workMs(): number {
    return this.#begun === 0 ? Infinity : this.#busyMs / this.#begun;
  }

  #grow(): boolean {
    if (this.#recordsMax >= this.#asked.records) return false;
    this.#recordsMax *= 2;
    this.#begunSinceCheck = 0;
    return true;
  }

  #countBusy(nowMs: number): void {
    if (!this.#isStarved) this.#busyMs += nowMs - this.#countedUntilMs;
    this.#countedUntilMs = nowMs;
  }
}
