/**
 * What became of records, on its way to the database: while one write is under way, the next gathers. Consumers are told
 * after the commit. A database that is away is tried again until it answers: each write says what is, not what changes,
 * so that one whose outcome was unknown may simply be repeated.
 */

import { MillraceError, RangeSet } from "../../core/index.js";
import { type SettleOutcome, type SettleWrite, StoreUnavailableError } from "../../store/index.js";
import { backoff, sleep, yieldToEventLoop } from "../../streams/index.js";
import type { Clock } from "../../telemetry/index.js";
import type { Claim } from "./claim.js";
import type { Consumer, Verdict } from "./consumer.js";
import type { RecordState } from "./held-record.js";

/** So many acknowledged records do not wait for more. */
const manyRecords = 5000;

/** A record that is to be handed out again. */
export interface RetryNote {
  /** As it is from now on: with this delivery, and its failure. */
  readonly record: RecordState;
  readonly delayMs: number;
  /** Undefined: it did not fail. */
  readonly reason: string | undefined;
  /** Who is to be told, and what. */
  readonly told: { readonly consumer: Consumer; readonly verdict: "rejected" | "released" } | undefined;
}

/** A record to set aside. */
export interface ParkNote {
  readonly record: RecordState;
  readonly slot: number;
  readonly reason: string;
  readonly told: { readonly consumer: Consumer; readonly verdict: "rejected" | "parked" } | undefined;
}

export interface SettleWriterParts {
  readonly clock: Clock;
  /** Between the beginnings of two commits of acknowledgements. */
  readonly intervalMs: number;
  /** Where it is written. */
  readonly settle: (write: Omit<SettleWrite, "subscriptionId" | "session">) => Promise<SettleOutcome>;
  /** It is noted: it may be handed out again once the delay is over. */
  readonly onRetry: (record: RecordState, delayMs: number) => void;
  /** It was to be handed out again, but somebody else settled it. */
  readonly onElsewhere: (record: RecordState) => void;
  /** It is parked, or gone. */
  readonly onParked: (record: RecordState) => void;
  readonly onLost: (claim: Claim) => void;
  /** Of this claim nothing is left. */
  readonly onDone: (claim: Claim) => void;
  /** After each write, and when the database is away. */
  readonly onProgress: () => void;
  /** A fault of ours: nothing can be written any more. */
  readonly onFault: (error: unknown) => void;
}

interface Confirmation {
  readonly claim: Claim;
  readonly consumer: Consumer;
  readonly verdict: Verdict;
  readonly first: number;
  readonly next: number;
}

interface Batch {
  readonly settled: Map<Claim, RangeSet>;
  settledRetries: number[];
  readonly retries: RetryNote[];
  readonly parked: ParkNote[];
  readonly confirmations: Confirmation[];
  records: number;
  /** Who waits until it is written, or was given up. */
  readonly waiting: (() => void)[];
}

export class SettleWriter {
  readonly #parts: SettleWriterParts;
  #pending = emptyBatch();
  #writing: Batch | undefined;
  #flushing: Promise<void> | undefined;
  /** Something was said that somebody waits for. */
  #isUrgent = false;
  /** Somebody waits for all of it to be written, or there is much: it does not wait for more. */
  #isPressing = false;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
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

  /** These are settled, and their consumer is told so. */
  acknowledge(claim: Claim, first: number, next: number, consumer: Consumer): void {
    const batch = this.#pending;
    rangesOf(batch, claim).add(first, next);
    batch.confirmations.push({ claim, consumer, verdict: "acknowledged", first, next });
    batch.records += next - first;
    this.#flush(batch.records >= manyRecords);
  }

  /** These need no work: written when there is something else to write, or `flush` is called. */
  pass(claim: Claim, first: number, next: number): void {
    rangesOf(this.#pending, claim).add(first, next);
  }

  /** A settled record that was handed out before: what was noted of it goes. */
  forgetRetry(offset: number): void {
    this.#pending.settledRetries.push(offset);
  }

  retry(note: RetryNote): void {
    this.#pending.retries.push(note);
    this.#pending.records += 1;
    this.#flush(this.#pending.records >= manyRecords);
  }

  park(note: ParkNote): void {
    this.#pending.parked.push(note);
    this.#pending.records += 1;
    this.#flush(this.#pending.records >= manyRecords);
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
    return [this.#pending, this.#writing].some(
      (batch) =>
        batch !== undefined &&
        (batch.settled.has(claim) ||
          batch.retries.some(({ record }) => record.claim === claim) ||
          batch.parked.some(({ record }) => record.claim === claim)),
    );
  }

  /** Tries no longer than the write under way. */
  giveUp(): void {
    this.#hurry?.();
    this.#given.abort(new MillraceError("draining", "The group is closed"));
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
    // What came in the same turn goes along.
    await yieldToEventLoop();
    while (this.#isUrgent && !this.#given.signal.aborted) {
      await this.#gather();
      this.#isUrgent = false;
      this.#isPressing = false;
      if (!isWorthWriting(this.#pending)) continue;
      const batch = this.#pending;
      this.#pending = emptyBatch();
      this.#writing = batch;
      try {
        const outcome = await this.#write(batch);
        this.#writing = undefined;
        if (outcome !== undefined) this.#settle(batch, outcome);
      } finally {
        this.#writing = undefined;
        tellAll(batch);
      }
      this.#parts.onProgress();
    }
  }

  /**
   * What is said one after the other shares a commit: the next one begins `settleIntervalMs` after the last began. It delays
   * confirmations, and what comes again at once: a window has its room back as soon as a verdict is heard.
   */
  async #gather(): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    const waitMs = this.#lastWriteMs + this.#parts.intervalMs - nowMs;
    this.#lastWriteMs = nowMs;
    if (waitMs <= 0 || this.#isPressing || this.#given.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#hurry = undefined;
    this.#lastWriteMs = this.#parts.clock.monotonicMs();
  }

  /** Undefined: given up. */
  async #write(batch: Batch): Promise<SettleOutcome | undefined> {
    const write = writeOf(batch);
    const waits = backoff({ minMs: 50, maxMs: 2000 });
    for (;;) {
      try {
        const outcome = await this.#parts.settle(write);
        this.isStuck = false;
        return outcome;
      } catch (error) {
        if (!isTransient(error)) throw error;
        this.isStuck = true;
        this.#parts.onProgress();
        if (this.#given.signal.aborted) return undefined;
        await sleep(waits.next(), this.#given.signal).catch(() => undefined);
      }
    }
  }

  #settle(batch: Batch, outcome: SettleOutcome): void {
    const lost = new Set(outcome.lostClaims);
    const elsewhere = new RangeSet(outcome.settledElsewhere);
    const isLost = (claim: Claim): boolean => claim.isLost || lost.has(claim.claimId);
    for (const [claim, ranges] of batch.settled) {
      if (isLost(claim)) this.#parts.onLost(claim);
      else for (const { firstOffset, nextOffset } of ranges) claim.todo.delete(firstOffset, nextOffset);
    }
    for (const { claim, consumer, verdict, first, next } of batch.confirmations) {
      consumer.confirm(isLost(claim) ? "stale" : verdict, first, next);
    }
    for (const { record, delayMs, told } of batch.retries) {
      const { claim, offset } = record;
      if (isLost(claim)) this.#parts.onLost(claim);
      else if (elsewhere.has(offset)) this.#leave(record, this.#parts.onElsewhere);
      else this.#parts.onRetry(record, delayMs);
      const isStale = isLost(claim) || elsewhere.has(offset);
      told?.consumer.confirm(isStale ? "stale" : told.verdict, offset, offset + 1);
    }
    for (const { record, told } of batch.parked) {
      const { claim, offset } = record;
      if (isLost(claim)) this.#parts.onLost(claim);
      else this.#leave(record, this.#parts.onParked);
      const isStale = isLost(claim) || elsewhere.has(offset);
      told?.consumer.confirm(isStale ? "stale" : told.verdict, offset, offset + 1);
    }
    const touched = new Set([
      ...batch.settled.keys(),
      ...batch.retries.map(({ record }) => record.claim),
      ...batch.parked.map(({ record }) => record.claim),
    ]);
    for (const claim of touched) if (!isLost(claim) && claim.todo.isEmpty) this.#parts.onDone(claim);
  }

  #leave(record: RecordState, tell: (record: RecordState) => void): void {
    record.claim.todo.delete(record.offset, record.offset + 1);
    tell(record);
  }
}

/** What may be mended by trying again. */
export function isTransient(error: unknown): boolean {
  return error instanceof StoreUnavailableError || (error instanceof MillraceError && error.code === "lane-full");
}

function emptyBatch(): Batch {
  return {
    settled: new Map(),
    settledRetries: [],
    retries: [],
    parked: [],
    confirmations: [],
    records: 0,
    waiting: [],
  };
}

function tellAll(batch: Batch): void {
  for (const tell of batch.waiting.splice(0)) tell();
}

function rangesOf(batch: Batch, claim: Claim): RangeSet {
  let ranges = batch.settled.get(claim);
  if (ranges === undefined) batch.settled.set(claim, (ranges = new RangeSet()));
  return ranges;
}

function isWorthWriting(batch: Batch): boolean {
  return batch.settled.size > 0 || batch.retries.length > 0 || batch.parked.length > 0;
}

function writeOf(batch: Batch): Omit<SettleWrite, "subscriptionId" | "session"> {
  return {
    settled: [...batch.settled].map(([claim, ranges]) => ({ claimId: claim.claimId, ranges: [...ranges] })),
    settledRetries: batch.settledRetries.map((offset) => ({ firstOffset: offset, nextOffset: offset + 1 })),
    retries: batch.retries.map(({ record, delayMs, reason }) => ({
      claimId: record.claim.claimId,
      firstOffset: record.offset,
      nextOffset: record.offset + 1,
      deliveries: record.deliveries,
      failures: record.failures,
      lane: record.lane,
      delayMs,
      reason,
    })),
    parked: batch.parked.map(({ record, slot, reason }) => ({
      claimId: record.claim.claimId,
      offset: record.offset,
      deliveries: record.deliveries,
      slot,
      lane: record.lane,
      reason,
    })),
  };
}
