/**
 * The appender of one topic on this node: a queue and group commit. Batches that arrive during a commit wait, and the
 * next commit takes all of them, up to `commitBytes`. It decides on a cached view of the topic, and appends by one
 * statement that checks the view. If another node has written meanwhile, it decides again under the topic's row lock
 * (docs/architecture.md, "In").
 *
 * A batch is acknowledged after its commit (invariant 2). When the connection breaks during a commit, the outcome is
 * unknown. Then every batch in it is refused as unavailable and the view is dropped. The head is read again at once,
 * since followers must see what may have been committed.
 */

import type { BufferPool, Limits } from "../../core/index.js";
import type { AppendWrite, Head } from "../../store/index.js";
import type { Clock } from "../../telemetry/index.js";
import type { Frames } from "../../wire/index.js";
import { asUnavailable } from "../database-lanes.js";
import { rereadHead } from "../topics/reread-head.js";
import type { StampClock } from "../topics/stamp-clock.js";
import { overError, type Topic } from "../topics/topic.js";
import type { TopicWriter } from "../topics/topic-cache.js";
import { type AppendAftermath, headAfter, observeAppend, prepareAppend } from "./append-write.js";
import { BatchQueue, type Entry, type QueuedBatch } from "./batch-queue.js";
import { CachedView, type CachedViewParts } from "./cached-view.js";
import { type BatchOrder, type CommitPlan, planCommit } from "./commit-plan.js";
import type { TopicBudget } from "./publish-budget.js";
import type { SharedCommits } from "./shared-commits.js";

const whenUnknown = "An idempotent producer may simply repeat the batch";

export interface AppenderParts extends AppendAftermath, CachedViewParts {
  readonly topic: Topic;
  readonly commits: SharedCommits;
  /** The topic's head as it was last read. */
  readonly head: Head;
  readonly stampClock: StampClock;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly budget: TopicBudget;
  /** The pool that the batches' frames come from. */
  readonly buffers: BufferPool;
}

/** What was decided on some batches, with the head that it was decided on. */
interface Decided {
  readonly plan: CommitPlan;
  readonly before: Head;
  /** Unset: the plan appends nothing. */
  readonly prepared?: { readonly write: AppendWrite; readonly frames: Frames };
}

export class Appender implements TopicWriter {
  readonly waiting: TopicBudget;
  readonly #parts: AppenderParts;
  readonly #queue: BatchQueue;
  readonly #view: CachedView;
  /** Set while the topic far exceeds its retention. Resolves when it was trimmed. */
  #room: Promise<void> | undefined;
  /** As far as this node knows, it was the last to write the topic. */
  #isOwn = true;
  readonly #finished: Promise<void>;

  constructor(parts: AppenderParts) {
    this.#parts = parts;
    this.waiting = parts.budget;
    this.#queue = new BatchQueue(parts.budget, parts.clock);
    this.#view = new CachedView(parts.topic, parts.head, parts);
    this.#finished = this.#run();
  }

  /**
   * Waits for room in the budget, and queues the batch. Batches of one call are applied in the order in which they were
   * queued; after the first refusal, the rest of the call is refused too.
   */
  enqueue(order: BatchOrder, signal?: AbortSignal): Promise<QueuedBatch> {
    return this.#queue.enqueue(order, signal);
  }

  /** As `enqueue`, if there is room now. Undefined: there is none. */
  tryEnqueue(order: BatchOrder): QueuedBatch | undefined {
    return this.#queue.tryEnqueue(order);
  }

  /** Refuses the batches of a call that are still queued, and frees their memory at once. */
  withdraw(call: object): void {
    this.#queue.withdraw(call);
  }

  async close(): Promise<void> {
    this.#queue.close();
    await this.#finished;
    this.#view.drop();
  }

  async #run(): Promise<void> {
    const { limits, topic } = this.#parts;
    for (;;) {
      const taken = await this.#queue.take(Math.min(limits.commitBytes, topic.commitBytesMax));
      if (taken === undefined) return;
      if (this.#room !== undefined) await this.#room;
      const entries = this.#queue.claim(taken);
      if (entries.length > 0) await this.#commit(entries);
    }
  }

  /** Never throws: the batches get the error. */
  async #commit(entries: readonly Entry[]): Promise<void> {
    const { topic, lanes } = this.#parts;
    try {
      if (topic.isOver) throw overError(topic);
      const plan = await this.#planOnCachedView(entries);
      if (plan.records === 0) this.#settle(entries, plan);
      else await this.#write(entries, plan);
    } catch (error) {
      this.#view.drop();
      for (const entry of entries) this.#queue.refuse(entry, asUnavailable(error, whenUnknown));
      rereadHead(topic, lanes);
    }
  }

  /** Decides on the cached view. A refusal is decided again on a fresh view. */
  async #planOnCachedView(entries: readonly Entry[]): Promise<CommitPlan> {
    const ids = producerIds(entries);
    const isCached = this.#view.has(ids);
    if (!isCached) await this.#view.refresh(ids);
    const plan = this.#decide(entries);
    if (!plan.hasRefusals || !isCached) return plan;
    await this.#view.refresh(ids);
    return this.#decide(entries);
  }

  async #write(entries: readonly Entry[], plan: CommitPlan): Promise<void> {
    const { commits, metrics } = this.#parts;
    const before = this.#view.current.head;
    const prepared = prepareAppend(before, plan, this.#parts);
    const outcome = await commits.append(prepared.write, this.#isOwn);
    this.#isOwn = outcome === "appended";
    if (this.#isOwn) return this.#applied(entries, { plan, before, prepared });
    metrics.appendsRestamped.inc();
    await this.#writeLocked(entries);
  }

  /** Another node has written: decides and appends under the lock. */
  async #writeLocked(entries: readonly Entry[]): Promise<void> {
    const { topic, lanes } = this.#parts;
    const ids = producerIds(entries);
    const nextBefore = topic.tip.value.nextOffset;
    let decided: Decided | undefined;
    const outcome = await lanes.attempt("append", (store) =>
      store.appendLocked({
        topicId: topic.topicId,
        producerIds: ids,
        decide: (locked) => {
          const { head } = locked;
          if (head.nextOffset < nextBefore || head.epoch !== topic.epoch) {
            topic.observe(head, nextBefore);
            return undefined;
          }
          this.#view.adopt(locked, ids);
          const plan = this.#decide(entries);
          if (plan.records === 0) {
            decided = { plan, before: head };
            return undefined;
          }
          const prepared = prepareAppend(head, plan, this.#parts);
          decided = { plan, before: head, prepared };
          return prepared.write;
        },
      }),
    );
    if (outcome === undefined) topic.markDeleted();
    if (topic.isOver || decided === undefined) throw overError(topic);
    const { plan, before, prepared } = decided;
    if (outcome === "committed" && prepared !== undefined) {
      this.#applied(entries, { plan, before, prepared });
    } else {
      topic.observe(before, nextBefore);
      this.#settle(entries, plan);
    }
  }

  /**
   * Order matters: first the view, then the tail, then the head (so a follower that it wakes finds the tail filled),
   * then the acknowledgements.
   */
  #applied(entries: readonly Entry[], { plan, before, prepared: { write, frames } }: Required<Decided>): void {
    const { topic, buffers } = this.#parts;
    const head = headAfter(before, write);
    this.#view.moveTo(head, plan.producers);
    const isKept = topic.followers > 0;
    if (isKept) {
      const page = {
        first: before.nextOffset,
        next: head.nextOffset,
        endBytes: head.nextBytes,
        frames: frames.bytes,
        hasRoom: false,
      };
      if (topic.liveFollowers === 0 && topic.tail.next !== page.first) topic.tail.restart(page.first);
      topic.tail.offer(page, frames.ends);
    }
    this.#room = observeAppend(topic, { before, write }, this.#parts);
    this.#settle(entries, plan);
    if (!isKept) buffers.give(frames.bytes);
    entries.forEach(({ batch }, index) => {
      // A refused batch may be tried again by its call. No other batch is still on its way, since the database has
      // answered.
      const isDone = plan.fates[index]?.kind !== "refused";
      if (isDone && batch.frames !== frames.bytes) buffers.give(batch.frames);
    });
  }

  #settle(entries: readonly Entry[], plan: CommitPlan): void {
    const { clock, metrics, topic } = this.#parts;
    const nowMs = clock.monotonicMs();
    entries.forEach((entry, index) => {
      const fate = plan.fates[index];
      if (fate === undefined) return;
      if (fate.kind === "refused") return this.#queue.refuse(entry, fate.error);
      entry.share.release();
      metrics.appendSeconds.observe((nowMs - entry.arrivedMs) / 1000);
      entry.done.resolve({ ...fate.range, epoch: topic.epoch, isRepeated: fate.kind === "repeated" });
    });
  }

  #decide(entries: readonly Entry[]): CommitPlan {
    const { topic, limits } = this.#parts;
    const { failedCalls } = this.#queue;
    return planCommit(this.#view.current, entries, {
      topic: topic.name,
      producerWindow: limits.producerWindow,
      failedCalls,
    });
  }
}

function producerIds(entries: readonly Entry[]): string[] {
  const ids = new Set<string>();
  for (const { producer } of entries) if (producer !== undefined) ids.add(producer.id);
  return [...ids];
}
