/** Records that failed or were given back: they wait until their time has come, are fetched again, and are ready. */

import type { Retry } from "../../store/index.js";
import type { Clock, Logger } from "../../telemetry/index.js";
import type { StampClock } from "../stamp-clock.js";
import type { Claim } from "./claim.js";
import type { RecordState, WaitingRecord } from "./held-record.js";
import type { Ledger } from "./ledger.js";
import type { ReadyRecords } from "./ready-records.js";
import { RetryQueue } from "./retry-queue.js";
import type { SettleWriter } from "./settle-writer.js";

/** How long what could not be fetched waits. */
const againMs = 100;

export interface RedeliveryParts {
  readonly ledger: Ledger;
  readonly ready: ReadyRecords;
  readonly writer: SettleWriter;
  /** Whether what comes again at once has to come before anything new. */
  readonly keepsOrder: boolean;
  readonly clock: Clock;
  readonly stampClock: StampClock;
  readonly logger: Logger;
  /** Something waits that did not: its time may be the next. */
  readonly onWaiting: () => void;
  /** Something is ready. */
  readonly onReady: () => void;
}

export class Redelivery {
  readonly #parts: RedeliveryParts;
  readonly #retries = new RetryQueue();
  /** What comes again at once, where the order has to hold. */
  readonly #returning = new Set<number>();
  #fetching: Promise<void> | undefined;

  constructor(parts: RedeliveryParts) {
    this.#parts = parts;
  }

  /** How many wait. */
  get count(): number {
    return this.#retries.count;
  }

  /** How many of those failed: what was redriven waits for its turn, and says nothing of new records. */
  get backlog(): number {
    return this.#retries.count - this.#retries.redrivenCount;
  }

  /** When the next one is due, by the monotonic clock; Infinity: none waits. */
  get nextMs(): number {
    return this.#retries.nextMs ?? Number.POSITIVE_INFINITY;
  }

  get isFetching(): boolean {
    return this.#fetching !== undefined;
  }

  /** Whether something is on its way that has to be handed out before anything new. */
  get isReturning(): boolean {
    return this.#returning.size > 0;
  }

  /** A record failed, and is about to be noted. */
  expect(record: RecordState, delayMs: number): void {
    if (delayMs === 0 && this.#parts.keepsOrder) this.#returning.add(record.offset);
  }

  /** It is noted: it comes again after the delay. */
  wait(record: RecordState, delayMs: number): void {
    if (record.claim.isLost || record.claim.isLeaving) return;
    this.#retries.push({ ...record, dueMs: this.#parts.clock.monotonicMs() + delayMs });
    this.#parts.onWaiting();
  }

  /** It does not come again: somebody else settled it. */
  forget(record: RecordState): void {
    this.#returning.delete(record.offset);
    this.#parts.ready.release(record);
  }

  /** What waits in a claim that was just taken. */
  take(claim: Claim, retries: readonly Retry[]): void {
    const nowMicros = this.#parts.stampClock.now();
    for (const { offset, lane, deliveries, failures, retryAtMicros } of retries) {
      if (!claim.todo.has(offset)) continue;
      claim.unread.delete(offset, offset + 1);
      const record = { claim, offset, lane, deliveries, failures };
      const delayMs = Math.max(0, (retryAtMicros - nowMicros) / 1000);
      this.#parts.ready.hold(record);
      this.expect(record, delayMs);
      this.wait(record, delayMs);
    }
  }

  drop(claim: Claim): void {
    this.#retries.drop(claim);
    if (this.#retries.count === 0 && claim.isLost) this.#returning.clear();
  }

  /** Fetches at most so many of those that are due. One fetch at a time. */
  redeliver(nowMs: number, most: number): void {
    if (this.#fetching !== undefined || this.nextMs > nowMs || most <= 0) return;
    this.#fetching = this.#fetch(this.#retries.takeDue(nowMs, most)).finally(() => {
      this.#fetching = undefined;
      this.#parts.onReady();
    });
  }

  async settled(): Promise<void> {
    await this.#fetching;
  }

  /** Never throws. */
  async #fetch(due: readonly WaitingRecord[]): Promise<void> {
    const { ledger, ready, writer, logger } = this.#parts;
    let frames: Map<number, Uint8Array>;
    try {
      const found = await ledger.readRetryFrames(due.map(({ offset }) => offset));
      frames = new Map(found.map(({ offset, frame }) => [offset, frame]));
    } catch (error) {
      logger.warn({ err: error }, "cannot read records that failed; trying again");
      for (const { dueMs: _, ...record } of due) this.wait(record, againMs);
      return;
    }
    for (const { dueMs: _, ...record } of due) {
      const { claim, offset } = record;
      this.#returning.delete(offset);
      if (claim.isLost || claim.isLeaving) continue;
      const page = frames.get(offset);
      if (page !== undefined) ready.addAgain({ ...record, page, start: 0, end: page.length });
      else {
        // Its topic does not keep it any more.
        ready.release(record);
        writer.forgetRetry(offset);
        writer.pass(claim, offset, offset + 1);
      }
    }
  }
}
