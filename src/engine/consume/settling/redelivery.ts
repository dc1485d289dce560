/** Redelivery: noted records wait for their time, then their frames are fetched, and they are ready for a consumer. */

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

/** How long records wait whose frames could not be fetched. */
const unfetchedMs = 100;
/** Frames that are in memory are kept with records that are redelivered within this time. */
const keptMs = 5000;
/** How many records are brought without room for them, of the run that all others wait for. */
const firstRecordsMax = 100;

export interface RedeliveryParts {
  readonly settings: Readonly<DeliverySettings>;
  readonly ledger: Ledger;
  readonly ready: ReadyRecords;
  readonly writer: SettleWriter;
  readonly recent: RecentFrames;
  readonly budget: OutstandingBudget;
  /** Whether records that are redelivered without a delay have to precede new ones: EXCLUSIVE. */
  readonly keepsOrder: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Another record waits, and may be the next that is due. */
  readonly onWaiting: () => void;
  /** Records are ready. */
  readonly onReady: () => void;
  /** The topic does not keep these any more. */
  readonly onUnkept: (run: RecordRun) => void;
}

export class Redelivery {
  readonly #parts: RedeliveryParts;
  readonly #waiting: WaitingRuns;
  /**
   * Where the order has to hold: records that are to be redelivered without a delay, and are not ready yet. They are kept by
   * claim: late frames of a claim that was lost take nothing from the same claim when it was taken again.
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
   * Whether the records that wait for redelivery are too many to hand out new ones. Redriven records do not count: they wait for their turn,
   * and tell nothing of how new records fare.
   */
  get isBacklogFull(): boolean {
    return this.#waiting.records - this.#waiting.redrivenRecords >= this.#parts.settings.policy.retryBacklog;
  }

  /** When the next record is due, by the monotonic clock; Infinity: none waits. */
  get nextMs(): number {
    return this.#waiting.nextMs ?? Number.POSITIVE_INFINITY;
  }

  /** Bytes of the frames that are kept with waiting records. */
  get frameBytes(): number {
    return this.#waiting.frameBytes;
  }

  get isFetching(): boolean {
    return this.#fetching !== undefined;
  }

  /** Where the order has to hold: no record from this offset on may be handed out; Infinity: all may. */
  get expectedOffset(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { first } of this.#expected.values()) lowest = Math.min(lowest, first ?? lowest);
    return lowest;
  }

  /** A run is about to be noted: where the order has to hold, later records wait for it. */
  expect({ claim, firstOffset, nextOffset, state }: RecordRun): void {
    if (!this.#parts.keepsOrder || (state.phase === "noting" && state.delayMs > 0)) return;
    if (claim.isLost || claim.isLeaving) return;
    let expected = this.#expected.get(claim);
    if (expected === undefined) this.#expected.set(claim, (expected = new RangeSet()));
    expected.add(firstOffset, nextOffset);
  }

  /** No record waits for this run any more. */
  unexpect({ claim, firstOffset, nextOffset }: RecordRun): void {
    this.#expected.get(claim)?.delete(firstOffset, nextOffset);
  }

  /** A run is noted: it waits for its delay. */
  wait(run: RecordRun): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const state = step(run.state, { type: "noted", nowMs });
    if (state.phase !== "waiting" || run.claim.isLost || run.claim.isLeaving) return this.unexpect(run);
    const isKept = state.dueMs - nowMs <= keptMs && this.#waiting.frameBytes < this.#parts.recent.bytesMax;
    this.#push({ ...run, state, frames: isKept ? this.#parts.recent.find(run) : undefined });
  }

  /** A run is not redelivered: somebody else settled it. */
  forget(run: RecordRun): void {
    this.unexpect(run);
    this.#parts.ready.release(run);
  }

  /** Takes over the waiting records of a claim that was just taken. */
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

  /** Brings up to `records` records that are due. There is one fetch at a time. */
  redeliver(nowMs: number, records: number): void {
    if (this.#fetching === undefined && records > 0) this.#bringAll(this.#waiting.takeDue(nowMs, records));
  }

  /** Brings the run that all others wait for, if it is due. */
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

  /** The topic does not keep a record any more. */
  #pass(run: RecordRun): void {
    this.unexpect(run);
    if (run.claim.isLost || run.claim.isLeaving) return;
    this.#parts.ready.release(run);
    this.#parts.onUnkept({ ...run, state: step(run.state, { type: "unkept" }) });
  }
}

/** Splits a range into runs: it is one run, or where records of it have a key, each record is. */
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
