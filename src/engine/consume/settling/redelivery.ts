/** Records that are to be redelivered: they wait until their time has come, their frames are found, and they are ready. */

import { type OffsetRange, RangeSet } from "../../../core/index.js";
import type { Retry } from "../../../store/index.js";
import type { Clock, Logger } from "../../../telemetry/index.js";
import type { Claim } from "../records/claim.js";
import type { DeliverySettings } from "./delivery-settings.js";
import type { Ledger } from "./ledger.js";
import type { OutstandingBudget } from "../records/outstanding-budget.js";
import type { ReadyRecords } from "../handing-out/ready-records.js";
import { type RecordState, step, unread } from "../records/record-life.js";
import { loneFrame, type RecordRun, recordsIn, type RunFrames } from "../records/record-run.js";
import type { RecentFrames } from "../records/recent-frames.js";
import type { SettleWriter } from "./settle-writer.js";
import { type WaitingRun, WaitingRuns } from "../records/waiting-runs.js";

/** How long what could not be fetched waits. */
const unfetchedMs = 100;
/** The frames of what is redelivered sooner are kept, as far as they are at hand. */
const keptMs = 5000;
/** Records of the run that all others wait for, which are brought though there is room for none. */
const firstRecordsMax = 100;

export interface RedeliveryParts {
  readonly settings: Readonly<DeliverySettings>;
  readonly ledger: Ledger;
  readonly ready: ReadyRecords;
  readonly writer: SettleWriter;
  readonly recent: RecentFrames;
  readonly budget: OutstandingBudget;
  /** Whether what is redelivered at once has to come before anything new. */
  readonly keepsOrder: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something waits that did not: its time may be the next. */
  readonly onWaiting: () => void;
  /** Something is ready. */
  readonly onReady: () => void;
  /** The topic does not keep these any more. */
  readonly onUnkept: (run: RecordRun) => void;
}

export class Redelivery {
  readonly #parts: RedeliveryParts;
  readonly #waiting: WaitingRuns;
  /**
   * What is redelivered at once, where the order has to hold: of each claim, so that what comes of one that was lost takes
   * nothing from the same one, taken anew.
   */
  readonly #expected = new Map<Claim, RangeSet>();
  #fetching: Promise<void> | undefined;

  constructor(parts: RedeliveryParts) {
    this.#parts = parts;
    this.#waiting = new WaitingRuns((records) => parts.budget.count(records));
  }

  /** How many records wait. */
  get count(): number {
    return this.#waiting.records;
  }

  /**
   * Whether so many records wait that nothing new is handed out. Redriven records do not count: they wait for their turn,
   * and say nothing of new records.
   */
  get isBacklogFull(): boolean {
    return this.#waiting.records - this.#waiting.redrivenRecords >= this.#parts.settings.policy.retryBacklog;
  }

  /** When the next one is due, by the monotonic clock; Infinity: none waits. */
  get nextMs(): number {
    return this.#waiting.nextMs ?? Number.POSITIVE_INFINITY;
  }

  /** Bytes of the frames that are kept. */
  get frameBytes(): number {
    return this.#waiting.frameBytes;
  }

  get isFetching(): boolean {
    return this.#fetching !== undefined;
  }

  /** The lowest offset of that; Infinity: nothing is. */
  get expectedOffset(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { first } of this.#expected.values()) lowest = Math.min(lowest, first ?? lowest);
    return lowest;
  }

  /** A run is about to be noted. */
  expect({ claim, firstOffset, nextOffset, state }: RecordRun): void {
    if (!this.#parts.keepsOrder || (state.phase === "noting" && state.delayMs > 0)) return;
    if (claim.isLost || claim.isLeaving) return;
    let expected = this.#expected.get(claim);
    if (expected === undefined) this.#expected.set(claim, (expected = new RangeSet()));
    expected.add(firstOffset, nextOffset);
  }

  /** It is not redelivered at once after all. */
  unexpect({ claim, firstOffset, nextOffset }: RecordRun): void {
    this.#expected.get(claim)?.delete(firstOffset, nextOffset);
  }

  /** It is noted: it is redelivered after its delay. */
  wait(run: RecordRun): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const state = step(run.state, { type: "noted", nowMs });
    if (state.phase !== "waiting" || run.claim.isLost || run.claim.isLeaving) return this.unexpect(run);
    const isKept = state.dueMs - nowMs <= keptMs && this.#waiting.frameBytes < this.#parts.recent.bytesMax;
    this.#push({ ...run, state, frames: isKept ? this.#parts.recent.find(run) : undefined });
  }

  /** It is not redelivered: somebody else settled it. */
  forget(run: RecordRun): void {
    this.unexpect(run);
    this.#parts.ready.release(run);
  }

  /** What waits in a claim that was just taken. */
  restore(claim: Claim, retries: readonly Retry[]): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const left = new RangeSet(claim.todo);
    for (const { ranges, lanes, deliveries, failures, delayMs } of retries) {
      const dueMs = nowMs + delayMs;
      const state = step(unread, { type: "restored", deliveries, failures, dueMs });
      const parts = ranges.flatMap(({ firstOffset, nextOffset }) => [...left.common(firstOffset, nextOffset)]);
      for (const part of parts) {
        left.delete(part.firstOffset, part.nextOffset);
        claim.unread.delete(part.firstOffset, part.nextOffset);
        for (const run of byKeyQueue(part, lanes)) this.#restore({ claim, ...run, state }, dueMs <= nowMs);
      }
    }
  }

  #restore(run: RecordRun, isDue: boolean): void {
    this.#parts.ready.hold(run);
    if (isDue) this.expect(run);
    const { state } = run;
    if (state.phase === "waiting") this.#push({ ...run, state, frames: undefined });
  }

  drop(claim: Claim): void {
    this.#waiting.drop(claim);
    this.#expected.delete(claim);
  }

  /** The group is closed. */
  clear(): void {
    this.#waiting.clear();
    this.#expected.clear();
  }

  /** Brings up to `records` of those that are due. One fetch at a time. */
  redeliver(nowMs: number, records: number): void {
    if (this.#fetching === undefined && records > 0) this.#bringAll(this.#waiting.takeDue(nowMs, records));
  }

  /** Brings what all others wait for, if it is due. */
  redeliverFirst(nowMs: number): void {
    if (this.#fetching === undefined) this.#bringAll(this.#waiting.takeAt(this.expectedOffset, nowMs, firstRecordsMax));
  }

  #bringAll(due: readonly WaitingRun[]): void {
    if (due.length === 0) return;
    const missing: WaitingRun[] = [];
    for (const run of due) {
      if (run.frames === undefined) missing.push(run);
      else this.#bring({ ...run, state: step(run.state, { type: "due" }) }, run.frames);
    }
    if (missing.length === 0) return this.#parts.onReady();
    this.#fetching = this.#fetch(missing).finally(() => {
      this.#fetching = undefined;
      this.#parts.onReady();
    });
  }

  async settled(): Promise<void> {
    await this.#fetching;
  }

  #push(run: WaitingRun): void {
    this.#waiting.push(run);
    this.#parts.onWaiting();
  }

  /** Never throws. */
  async #fetch(due: readonly WaitingRun[]): Promise<void> {
    const { ledger, logger, clock } = this.#parts;
    let frames: Map<number, Uint8Array>;
    try {
      const found = await ledger.readRetryFrames(due.flatMap(offsetsOf));
      frames = new Map(found.map(({ offset, frame }) => [offset, frame]));
    } catch (error) {
      logger.warn({ err: error }, "cannot read records that are to be redelivered; trying again");
      const dueMs = clock.monotonicMs() + unfetchedMs;
      for (const run of due) this.#push({ ...run, state: { ...run.state, dueMs } });
      return;
    }
    for (const run of due) {
      const state: RecordState = step(run.state, { type: "due" });
      for (const offset of offsetsOf(run)) {
        const frame = frames.get(offset);
        const record = { ...run, firstOffset: offset, nextOffset: offset + 1, state };
        if (frame !== undefined) this.#bring(record, loneFrame(frame));
        else this.#pass(record);
      }
    }
  }

  #bring(run: RecordRun, frames: RunFrames): void {
    this.unexpect(run);
    const { claim } = run;
    if (claim.isLost || claim.isLeaving) return;
    const { firstOffset, nextOffset, keyQueue } = run;
    const state = step(run.state, { type: "fetched" });
    this.#parts.ready.addRedelivery({ claim, firstOffset, nextOffset, keyQueue, state, frames });
  }

  /** Its topic does not keep it any more. */
  #pass(run: RecordRun): void {
    this.unexpect(run);
    if (run.claim.isLost || run.claim.isLeaving) return;
    this.#parts.ready.release(run);
    this.#parts.onUnkept({ ...run, state: step(run.state, { type: "unkept" }) });
  }
}

/** A run, or the records of a run one by one where some have a key. */
function* byKeyQueue(
  { firstOffset, nextOffset }: OffsetRange,
  lanes: Retry["lanes"],
): Generator<Pick<RecordRun, "firstOffset" | "nextOffset" | "keyQueue">, void> {
  if (lanes.size === 0) return yield { firstOffset, nextOffset, keyQueue: undefined };
  for (let offset = firstOffset; offset < nextOffset; offset++) {
    yield { firstOffset: offset, nextOffset: offset + 1, keyQueue: lanes.get(offset) };
  }
}

function offsetsOf(run: RecordRun): number[] {
  return Array.from({ length: recordsIn(run) }, (_, index) => run.firstOffset + index);
}
