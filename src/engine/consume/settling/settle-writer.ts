/**
 * What became of records, on its way to the database: while one write is under way, the next gathers. Consumers are told
 * after the commit. A database that is away is tried again until it answers: each write says what is, not what changes,
 * so that one whose outcome was unknown may simply be repeated.
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
/** So many acknowledged records do not wait for more. */
const manyRecords = 5000;
/** Writes that may stand beside the claims' rows: each look at a claim reads all of them. */
const unfoldedMax = 256;

export interface SettleWriterParts extends OutcomeHandlers {
  readonly clock: Clock;
  readonly budget: OutstandingBudget;
  /** Between the beginnings of two commits of acknowledgements. */
  readonly intervalMs: number;
  /** Where it is written. */
  readonly settle: (write: Omit<SettleWrite, "subscriptionId" | "session">) => Promise<SettleOutcome>;
  /** After each write, and when the database is away. `isNews`: it may concern others than those who are told. */
  readonly onProgress: (isNews: boolean) => void;
  /** A fault of ours: nothing can be written any more. */
  readonly onFault: (error: unknown) => void;
}

export class SettleWriter {
  readonly #parts: SettleWriterParts;
  #pending = emptyBatch();
  #writing: SettleBatch | undefined;
  #flushing: Promise<void> | undefined;
  /** Something was said that somebody waits for. */
  #isUrgent = false;
  /** Somebody waits for all of it to be written, or there is much: it does not wait for more. */
  #isPressing = false;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #unfolded = 0;
  /** Ends the wait for more. */
  #hurry: (() => void) | undefined;
  /** The database did not take the write that is under way. */
  isStuck = false;
  /** Aborts when it is not worth trying any longer. */
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

  /** A run is done, and its consumer is told so after the commit. */
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

  /** These need no work: written when there is something else to write, or `flush` is called. */
  pass(claim: Claim, first: number, next: number): void {
    rangesOf(this.#pending.settled, claim).add(first, next);
  }

  /** What was noted of a settled run is deleted. */
  forgetRetries({ claim, firstOffset, nextOffset }: RecordRun): void {
    rangesOf(this.#pending.settledRetries, claim).add(firstOffset, nextOffset);
  }

  /** A run is to be redelivered. */
  note(run: RecordRun, state: RetryNote["state"], told: Told | undefined): void {
    this.#pending.notes.push({ run: runOf(run), state, told });
    this.#count(this.#pending, recordsIn(run));
  }

  /** A record is to be set aside. */
  park(note: ParkNote): void {
    this.#pending.parked.push(note);
    this.#count(this.#pending, 1);
  }

  /** Writes also what could wait. Resolves when all that is pending now is written, or was given up. */
  async flush(): Promise<void> {
    const batch = isWorthWriting(this.#pending) ? this.#pending : this.#writing;
    if (batch === undefined || (this.#flushing === undefined && this.#given.signal.aborted)) return;
    // Not until there is nothing left to write: with busy consumers that is never.
    const written = new Promise<void>((resolve) => batch.waiting.push(resolve));
    this.#flush(true);
    await written;
  }

  /** Whether something of a claim is pending. */
  has(claim: Claim): boolean {
    const isOfClaim = ({ run }: { readonly run: RecordRun }): boolean => run.claim === claim;
    return [this.#pending, this.#writing].some(
      (batch) =>
        batch !== undefined &&
        (batch.settled.has(claim) || batch.notes.some(isOfClaim) || batch.parked.some(isOfClaim)),
    );
  }

  /** Tries no longer than the write under way. */
  giveUp(): void {
    this.#given.abort(new MillraceError("draining", "The group is closed"));
    this.#hurry?.();
  }

  /** Forgets what is pending: the group is closed. */
  clear(): void {
    this.#parts.budget.count(-rowsIn(this.#pending));
    this.#pending = emptyBatch();
  }

  /** Rows of what is redelivered count in the node's budget until they are written. */
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
        // It may have come since the last look.
        else if (this.#isUrgent) this.#flush(false);
      });
  }

  async #run(): Promise<void> {
    // What came in the same turn is written along.
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
   * What is said one after the other shares a commit: the next one begins `settleIntervalMs` after the last began. It delays
   * confirmations, and what is redelivered at once: a window has its room back as soon as a verdict is heard.
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

  /** Waits; `#hurry` ends it. */
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

  /** Undefined: given up. */
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

/** What may be mended by trying again. */
export function isTransient(error: unknown): boolean {
  return error instanceof StoreUnavailableError || (error instanceof MillraceError && error.code === "lane-full");
}

/** A run without what else its holder kept of it. */
function runOf({ claim, firstOffset, nextOffset, keyQueue, state }: RecordRun): RecordRun {
  return { claim, firstOffset, nextOffset, keyQueue, state };
}

function tellAll(batch: SettleBatch): void {
  for (const tellOne of batch.waiting.splice(0)) tellOne();
}
