/**
 * The batches that wait for a topic's next commit, in the order in which they arrived. A batch holds its share of the
 * budget until it is settled.
 */

import { type Appended, MillraceError } from "../../core/index.js";
import { channel, ChannelClosedError, type Deferred, deferred } from "../../streams/index.js";
import type { Clock } from "../../telemetry/index.js";
import { noRecords, type RecordBatch } from "../../wire/index.js";
import type { BatchOrder } from "./commit-plan.js";
import type { BudgetShare, TopicBudget } from "./publish-budget.js";

/** A batch in the queue. */
export interface QueuedBatch {
  /** Settles when the batch is durable or refused. A rejection that nobody awaits is not reported as unhandled. */
  readonly acknowledged: Promise<Appended>;
}

/** A batch on its way through the queue and its commit. */
export interface Entry extends BatchOrder {
  batch: RecordBatch;
  readonly done: Deferred<Appended>;
  readonly share: BudgetShare;
  readonly arrivedMs: number;
}

export class BatchQueue {
  /** Calls that had a batch refused: the rest of such a call is refused too. */
  readonly failedCalls = new WeakSet<object>();
  readonly #budget: TopicBudget;
  readonly #clock: Clock;
  readonly #entries;
  readonly #queued = new Set<Entry>();
  #isClosed = false;

  constructor(budget: TopicBudget, clock: Clock) {
    this.#budget = budget;
    this.#clock = clock;
    // The budget is the bound. A batch that was withdrawn counts here until its turn comes.
    this.#entries = channel<Entry>({ capacity: budget.capacity, weigh: weightOf });
  }

  /** Waits for room in the budget. */
  async enqueue(order: BatchOrder, signal?: AbortSignal): Promise<QueuedBatch> {
    const entry = this.#entryOf(order, await this.#budget.acquire(weightOf(order), signal));
    try {
      await this.#entries.sender.send(entry, signal);
    } catch (error) {
      this.#queued.delete(entry);
      entry.share.release();
      throw error instanceof ChannelClosedError ? draining() : error;
    }
    return { acknowledged: entry.done.promise };
  }

  /** Undefined: there is no room now. */
  tryEnqueue(order: BatchOrder): QueuedBatch | undefined {
    const share = this.#budget.tryAcquire(weightOf(order));
    if (share === undefined) return undefined;
    const entry = this.#entryOf(order, share);
    if (!this.#isClosed && this.#entries.sender.trySend(entry)) return { acknowledged: entry.done.promise };
    this.#queued.delete(entry);
    share.release();
    return undefined;
  }

  /** Waits for batches, and takes up to `bytesMax` of them. Undefined: the queue is closed. */
  async take(bytesMax: number): Promise<readonly Entry[] | undefined> {
    const taken = await this.#entries.receiver.receiveMany(bytesMax);
    return taken.length === 0 ? undefined : taken;
  }

  /** The batches among these that were not withdrawn. From now on none of them can be. */
  claim(taken: readonly Entry[]): readonly Entry[] {
    return taken.filter((entry) => this.#queued.delete(entry));
  }

  refuse(entry: Entry, error: unknown): void {
    this.failedCalls.add(entry.call);
    entry.share.release();
    entry.done.reject(error);
  }

  /** Refuses the batches of a call that still wait, and frees their memory at once. */
  withdraw(call: object): void {
    this.failedCalls.add(call);
    for (const entry of this.#queued) {
      if (entry.call !== call) continue;
      this.#queued.delete(entry);
      // The channel holds the entry until its turn comes. Its bytes are freed now (invariant 9).
      entry.batch = noRecords;
      this.refuse(entry, new MillraceError("call-ended", "Not applied: the call ended first"));
    }
  }

  /** Refuses the batches that wait, and those that come. */
  close(): void {
    this.#isClosed = true;
    const waiting = [...this.#queued];
    this.#queued.clear();
    for (const entry of waiting) this.refuse(entry, draining());
    this.#entries.receiver.close();
  }

  #entryOf(order: BatchOrder, share: BudgetShare): Entry {
    const entry: Entry = { ...order, done: deferred<Appended>(), share, arrivedMs: this.#clock.monotonicMs() };
    // The caller that waits sees the rejection. That nobody waits is no fault.
    entry.done.promise.catch(() => undefined);
    this.#queued.add(entry);
    return entry;
  }
}

function weightOf(order: BatchOrder): number {
  return Math.max(1, order.batch.frames.length);
}

function draining(): MillraceError {
  return new MillraceError("draining", "The node is shutting down", { retryDelayMs: 1000 });
}
