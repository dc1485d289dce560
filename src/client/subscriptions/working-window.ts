import type { Window } from "../../core/index.js";

/** Where the user names no window, it begins here: the server hands out as many to each consumer, whatever others have. */
export const firstRecords = 16;
/** What has waited for this part of its deadline without anybody beginning to work on it is released. */
export const releaseShare = 1 / 2;
/** A smaller window is meant to be worked off in this part of a deadline, a larger one in that. */
const shrinkShare = 3 / 8;
const growShare = 1 / 4;
/** After it has shrunk, it takes the server up to this part of a deadline to deliver no more than that. */
const settleShare = 1 / 8;
/** How much of what was measured still counts after an eighth of a deadline. */
const decay = 0.8;

export interface WorkingWindowOptions {
  /** What the user asked for. */
  readonly asked: Window;
  /** With how many records to begin; undefined: as asked. */
  readonly firstRecords: number | undefined;
}

/**
 * How many records to ask for: as many as are evidently worked off in about half of a deadline, and no more than the user
 * asked for. What nobody begins in time is released; a window that is too large would make those records go back and
 * forth between the server and this consumer.
 *
 * It measures how long the work on a record takes: the time in which the consumer was not waiting for records, by the
 * records that it began. From that follows how long the last record of a window waits for its turn.
 *
 * - It shrinks, at least to half, when records had to be released; never below what is worked on at once.
 * - It doubles when a whole window was begun and twice as much would be begun within a quarter of a deadline; and when
 *   its consumer waits for more while it has a whole window in hand.
 *
 * Times come in, from a monotonic clock.
 */
export class WorkingWindow {
  #asked: Window;
  #recordsMax: number;
  /** How many records are worked on at once. */
  #concurrency = 1;
  #deadlineMs = Infinity;
  /** Begun since the last look at it. */
  #begunSinceLook = 0;
  #begun = 0;
  #busyMs = 0;
  /** Until when `busyMs` is reckoned. */
  #reckonedMs = 0;
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

  /** What to ask the server for. */
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

  /** Records arrived: the consumer does not wait any more. */
  fed(nowMs: number): void {
    if (!this.#isStarved) return;
    this.#reckonedMs = nowMs;
    this.#isStarved = false;
  }

  /** The consumer waits for records, while `outstanding` of them are not settled. True: the window has grown. */
  starved(outstanding: number, clock: () => number): boolean {
    if (!this.#isStarved) {
      this.#reckon(clock());
      this.#isStarved = true;
    }
    return outstanding >= this.#recordsMax && this.#grow();
  }

  /** The consumer began to work on records. True: the window has grown. */
  begun(records: number, clock: () => number): boolean {
    this.#begun += records;
    this.#begunSinceLook += records;
    if (this.#recordsMax >= this.#asked.records || this.#begunSinceLook < this.#recordsMax) return false;
    this.#begunSinceLook = 0;
    this.#reckon(clock());
    const waiting = Math.min(2 * this.#recordsMax, this.#asked.records) - this.#concurrency;
    return waiting * this.#workMs <= this.#deadlineMs * growShare && this.#grow();
  }

  /** An eighth of a deadline has passed. */
  passed(nowMs: number): void {
    this.#reckon(nowMs);
    this.#busyMs *= decay;
    this.#begun *= decay;
  }

  /** Records were released that nobody had begun, the last of which had arrived at `arrivedMs`. True: it has shrunk. */
  released(arrivedMs: number, nowMs: number): boolean {
    // Those arrived before the server knew of the window that holds, or the user has paused it.
    if (arrivedMs < this.#shrunkMs + this.#deadlineMs * settleShare || this.#asked.records === 0) return false;
    this.#shrunkMs = nowMs;
    this.#reckon(nowMs);
    const inTime = this.#concurrency + Math.floor((this.#deadlineMs * shrinkShare) / this.#workMs);
    const half = Math.floor(this.window.records / 2);
    this.#recordsMax = Math.max(1, this.#concurrency, Math.min(inTime, half));
    this.#begunSinceLook = 0;
    return true;
  }

  /** How long the work on one record takes, by what it adds to the wait of the next. */
  get #workMs(): number {
    return this.#begun === 0 ? Infinity : this.#busyMs / this.#begun;
  }

  #grow(): boolean {
    if (this.#recordsMax >= this.#asked.records) return false;
    this.#recordsMax *= 2;
    this.#begunSinceLook = 0;
    return true;
  }

  #reckon(nowMs: number): void {
    if (!this.#isStarved) this.#busyMs += nowMs - this.#reckonedMs;
    this.#reckonedMs = nowMs;
  }
}
