/**
 * Writes to the database what became of records. While one write is on its way, the next batch gathers. Consumers are told
 * after the commit. While the database is away, a write is repeated until it is answered. That is safe although its outcome
 * may be unknown: a write says how things stand, and not what changes.
 */

import { MillraceError } from "../../../core/index.js";
import { type SettleOutcome, type SettleWrite, StoreUnavailableError } from "../../../store/index.js";
import { backoff, sleep, yieldToEventLoop } from "../../../streams/index.js";
import type { Clock } from "../../../telemetry/index.js";
import type { Claim } from "../records/claim.js";
import type { OutstandingBudget } from "../records/outstanding-budget.js";
import { type RecordRun, recordsIn } from "../records/record-run.js";
import {
  emptiesClaims,
  emptyBatch,
  isWorthWriting,
  type ParkNote,
  rangesOf,
  type RetryNote,
  rowsIn,
  type SettleBatch,
  splitBatch,
  type Told,
  writeOf,
} from "./settle-batch.js";
import { applyOutcome, type OutcomeHandlers } from "./settle-outcome.js";

/** Acknowledged records that may wait for the database. Nothing is handed out beyond that. */
const unwrittenRecordsMax = 100_000;
/** A batch of this many records is written at once, without waiting for more. */
const manyRecords = 5000;
/** Writes that may stand beside the rows of claims, until one is folded into them: every read of a claim reads them all. */
const unfoldedMax = 256;

export interface SettleWriterParts extends OutcomeHandlers {
  readonly clock: Clock;
  readonly budget: OutstandingBudget;
  /** Between the beginnings of two writes that nobody waits for. */
  readonly intervalMs: number;
  readonly settle: (write: Omit<SettleWrite, "subscriptionId" | "session">) => Promise<SettleOutcome>;
  /** Called after each write, and after each try that failed. `isNews`: it may concern consumers that got no confirmation. */
  readonly onProgress: (isNews: boolean) => void;
  /** Called on a fault of ours: nothing can be written any more. */
  readonly onFault: (error: unknown) => void;
}

export class SettleWriter {
  readonly #parts: SettleWriterParts;
  #pending = emptyBatch();
  #writing: SettleBatch | undefined;
  #flushing: Promise<void> | undefined;
  /** Something is pending that is to be written. */
  #isUrgent = false;
  /** The next batch does not wait for more: somebody waits for its write, or it is large. */
  #isPressing = false;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  /** Writes since the last one that was folded. */
  #unfolded = 0;
  /** Ends the wait for a larger batch. */
  #hurry: (() => void) | undefined;
  /** The last try failed: the database did not take the write. */
  isStuck = false;
  /** Aborts when failed writes are not to be tried again. */
  readonly #given = new AbortController();

  constructor(parts: SettleWriterParts) {
    this.#parts = parts;
  }

  /** Records that are not durably settled yet. */
  get backlog(): number {
    return this.#pending.records + (this.#writing?.records ?? 0);
  }

  /** Whether so much waits for the database that nothing may be handed out. */
  get isBehind(): boolean {
    return this.isStuck || this.backlog >= unwrittenRecordsMax;
  }

  /** Settles a run for good. Its consumer gets the confirmation after the commit. */
  acknowledge({ claim, firstOffset, nextOffset }: RecordRun, { consumer, attempt }: Told): void {
    const batch = this.#pending;
    rangesOf(batch.settled, claim).add(firstOffset, nextOffset);
    const last = batch.confirmations.at(-1);
    const isNext = last?.claim === claim && last.nextOffset === firstOffset;
    if (isNext && last.consumer === consumer && last.attempt === attempt) last.nextOffset = nextOffset;
    else batch.confirmations.push({ claim, consumer, attempt, firstOffset, nextOffset });
    batch.records += nextOffset - firstOffset;
    this.#flush(batch.records >= manyRecords);
  }

  /** Settles offsets that no consumer gets. They are written along with a later write, or by `flush`. */
  pass(claim: Claim, first: number, next: number): void {
    rangesOf(this.#pending.settled, claim).add(first, next);
  }

  /** Deletes the notes of a settled run. */
  forgetRetries({ claim, firstOffset, nextOffset }: RecordRun): void {
    rangesOf(this.#pending.settledRetries, claim).add(firstOffset, nextOffset);
  }

  /** Notes a run that is to be redelivered. */
  note(run: RecordRun, state: RetryNote["state"], told: Told | undefined): void {
    this.#pending.notes.push({ run: runOf(run), state, told });
    this.#count(this.#pending, recordsIn(run));
  }

  /** Parks a record. */
  park(note: ParkNote): void {
    this.#pending.parked.push(note);
    this.#count(this.#pending, 1);
  }

  /** Writes all that is pending now, without delay. Resolves when it is written, or was given up. */
  async flush(): Promise<void> {
    const batch = isWorthWriting(this.#pending) ? this.#pending : this.#writing;
    if (batch === undefined || (this.#flushing === undefined && this.#given.signal.aborted)) return;
    // Waits for this batch alone: with busy consumers there is always more to write.
    const written = new Promise<void>((resolve) => batch.waiting.push(resolve));
    this.#flush(true);
    await written;
  }

  /** Whether something of a claim is not written yet. */
  has(claim: Claim): boolean {
    const isOfClaim = ({ run }: { readonly run: RecordRun }): boolean => run.claim === claim;
    return [this.#pending, this.#writing].some(
      (batch) =>
        batch !== undefined &&
        (batch.settled.has(claim) || batch.notes.some(isOfClaim) || batch.parked.some(isOfClaim)),
    );
  }

  /** Writes nothing more: only the write that is on its way may still succeed. */
  giveUp(): void {
    this.#given.abort(new MillraceError("draining", "The group is closed"));
    this.#hurry?.();
  }

  /** The group is closed: forgets all that is pending. */
  clear(): void {
    this.#parts.budget.count(-rowsIn(this.#pending));
    this.#pending = emptyBatch();
  }

  /** Counts records that are to be noted or parked. They count in the budget of the node until they are written. */
  #count(batch: SettleBatch, records: number): void {
    batch.records += records;
    this.#parts.budget.count(records);
    this.#flush(batch.records >= manyRecords);
  }

  #flush(isPressing: boolean): void {
    this.#isUrgent = true;
    if (isPressing) {
      this.#isPressing = true;
      this.#hurry?.();
    }
    if (this.#flushing !== undefined || this.#given.signal.aborted) return;
    this.#flushing = this.#run()
      .catch((error: unknown) => this.#parts.onFault(error))
      .finally(() => {
        this.#flushing = undefined;
        if (this.#given.signal.aborted) tellAll(this.#pending);
        // There may be more since the last check.
        else if (this.#isUrgent) this.#flush(false);
      });
  }

  async #run(): Promise<void> {
    // Verdicts of the same turn are written together.
    await yieldToEventLoop();
    while (this.#isUrgent && !this.#given.signal.aborted) {
      await this.#gather();
      this.#isUrgent = false;
      this.#isPressing = false;
      if (!isWorthWriting(this.#pending)) continue;
      const { write: batch, rest } = splitBatch(this.#pending);
      this.#pending = rest;
      if (rest.records > 0) {
        this.#isUrgent = true;
        this.#isPressing = true;
      }
      this.#writing = batch;
      let isNews = batch.notes.length > 0 || batch.parked.length > 0;
      try {
        const outcome = await this.#write(batch);
        this.#writing = undefined;
        isNews ||= outcome === undefined || outcome.lostClaims.length > 0;
        if (outcome !== undefined) applyOutcome(batch, outcome, this.#parts);
      } finally {
        this.#writing = undefined;
        this.#parts.budget.count(-rowsIn(batch));
        tellAll(batch);
      }
      this.#parts.onProgress(isNews);
    }
  }

  /**
   * Waits for a larger batch: a write begins `intervalMs` after the last one began. This delays confirmations, and records
   * that are redelivered at once. It delays no windows: those have their room back when a verdict is heard.
   */
  async #gather(): Promise<void> {
    const { clock, intervalMs } = this.#parts;
    const nowMs = clock.monotonicMs();
    const waitMs = this.#lastWriteMs + intervalMs - nowMs;
    this.#lastWriteMs = nowMs;
    if (waitMs <= 0 || this.#isPressing || this.#given.signal.aborted) return;
    await this.#pause(waitMs);
    this.#lastWriteMs = clock.monotonicMs();
  }

  /** Waits until the time is over or `#hurry` is called. */
  #pause(waitMs: number): Promise<void> {
    return new Promise<void>((resolve) => {
      const cancel = this.#parts.clock.startTimer(waitMs, () => this.#hurry?.());
      this.#hurry = () => {
        cancel();
        this.#hurry = undefined;
        resolve();
      };
    });
  }

  /** Undefined: it was given up. */
  async #write(batch: SettleBatch): Promise<SettleOutcome | undefined> {
    this.#unfolded += 1;
    const folds = this.#unfolded >= unfoldedMax || emptiesClaims(batch);
    if (folds) this.#unfolded = 0;
    const write = writeOf(batch, folds);
    const waits = backoff({ minMs: 50, maxMs: 2000 });
    for (;;) {
      try {
        const outcome = await this.#parts.settle(write);
        this.isStuck = false;
        return outcome;
      } catch (error) {
        if (!isTransient(error)) throw error;
        this.isStuck = true;
        this.#parts.onProgress(true);
        if (this.#given.signal.aborted) return undefined;
        await sleep(waits.next(), this.#parts.clock, this.#given.signal).catch(() => undefined);
      }
    }
  }
}

/** Whether the same statement may succeed later. */
export function isTransient(error: unknown): boolean {
  return error instanceof StoreUnavailableError || (error instanceof MillraceError && error.code === "lane-full");
}

/** A run without the other fields that its holder kept with it. */
function runOf({ claim, firstOffset, nextOffset, keyQueue, state }: RecordRun): RecordRun {
  return { claim, firstOffset, nextOffset, keyQueue, state };
}

function tellAll(batch: SettleBatch): void {
  for (const tellOne of batch.waiting.splice(0)) tellOne();
}
