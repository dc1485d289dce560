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

import { type BufferPool, type Limits, MillraceError, type ProducerState } from "../../core/index.js";
import type { AppendWrite, Head, LockedView } from "../../store/index.js";
import { channel, ChannelClosedError, type Deferred, deferred } from "../../streams/index.js";
import type { Clock } from "../../telemetry/index.js";
import { type Frames, noRecords, type RecordBatch } from "../../wire/index.js";
import { type AppendAftermath, headAfter, observeAppend, prepareAppend } from "./append-write.js";
import { type BatchOrder, type CommitPlan, planCommit, type TopicView } from "./commit-plan.js";
import { asUnavailable, type DatabaseLanes } from "../database-lanes.js";
import type { BudgetShare, TopicBudget } from "./publish-budget.js";
import { rereadHead } from "../topics/reread-head.js";
import type { SharedCommits } from "./shared-commits.js";
import type { StampClock } from "../topics/stamp-clock.js";
import { overError, type Topic } from "../topics/topic.js";
import type { TopicWriter } from "../topics/topic-cache.js";

/** Where a batch was appended. */
export interface Appended {
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly epoch: number;
  /** The producer's sequence had been applied before. The offsets are those of the first time. */
  readonly repeated: boolean;
}

/** How many producers' states the view keeps. The one unused for longest is removed first. */
const cachedProducersMax = 1000;
const whenUnknown = "An idempotent producer may simply repeat the batch";

export interface AppenderParts extends AppendAftermath {
  readonly topic: Topic;
  readonly lanes: DatabaseLanes;
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

/** A batch in the queue. */
export interface QueuedBatch {
  /** Settles when the batch is durable or refused. A rejection that nobody awaits is not reported as unhandled. */
  readonly acknowledged: Promise<Appended>;
}

export interface Appender extends TopicWriter {
  /**
   * Waits for room in the budget, and queues the batch. Batches of one call are applied in the order in which they were
   * queued; after the first refusal, the rest of the call is refused too.
   */
  enqueue(order: BatchOrder, signal?: AbortSignal): Promise<QueuedBatch>;
  /** As `enqueue`, if there is room now. Undefined: there is none. */
  tryEnqueue(order: BatchOrder): QueuedBatch | undefined;
  /** Refuses the batches of a call that are still queued, and frees their memory at once. */
  withdraw(call: object): void;
}

interface Entry extends BatchOrder {
  batch: RecordBatch;
  readonly done: Deferred<Appended>;
  readonly share: BudgetShare;
  readonly arrivedMs: number;
}

export function createAppender(parts: AppenderParts): Appender {
  const { topic, lanes, clock, metrics, limits } = parts;
  const queue = channel<Entry>({
    // The budget is the bound. A batch that was withdrawn counts here until its turn comes.
    capacity: limits.publishTopicBytes,
    weigh: weightOf,
  });
  const failedCalls = new WeakSet<object>();
  const queued = new Set<Entry>();
  let view: { head: Head; producers: Map<string, ProducerState | undefined> } | undefined = {
    head: parts.head,
    producers: new Map(),
  };
  /** Set while the topic far exceeds its retention. Resolves when it was trimmed. */
  let room: Promise<void> | undefined;
  let isClosed = false;
  /** As far as this node knows, it was the last to write the topic. */
  let isOwn = true;
  const finished = run();

  async function run(): Promise<void> {
    for (;;) {
      const taken = await queue.receiver.receiveMany(Math.min(limits.commitBytes, topic.commitBytesMax));
      if (taken.length === 0) return;
      if (room !== undefined) await room;
      const entries = taken.filter((entry) => queued.delete(entry));
      if (entries.length > 0) await commit(entries);
    }
  }

  /** Never throws: the batches get the error. */
  async function commit(entries: readonly Entry[]): Promise<void> {
    try {
      if (topic.isOver) throw overError(topic);
      const plan = await planOnCachedView(entries);
      if (plan.records === 0) settle(entries, plan);
      else await write(entries, plan);
    } catch (error) {
      view = undefined;
      for (const entry of entries) refuse(entry, asUnavailable(error, whenUnknown));
      rereadHead(topic, lanes);
    }
  }

  /** Decides on the cached view. A refusal is decided again on a fresh view. */
  async function planOnCachedView(entries: readonly Entry[]): Promise<CommitPlan> {
    const ids = producerIds(entries);
    const isCached = view !== undefined && ids.every((id) => view?.producers.has(id));
    if (!isCached) await refreshView(ids);
    const plan = decide(currentView(), entries);
    if (!plan.hasRefusals || !isCached) return plan;
    await refreshView(ids);
    return decide(currentView(), entries);
  }

  async function write(entries: readonly Entry[], plan: CommitPlan): Promise<void> {
    const before = currentView().head;
    const { write: appendWrite, frames } = prepareAppend(topic, before, plan, parts);
    const outcome = await parts.commits.append(appendWrite, isOwn);
    isOwn = outcome === "appended";
    if (isOwn) return applied(entries, plan, appendWrite, before, frames);
    metrics.appendsRestamped.inc();
    await writeLocked(entries);
  }

  /** Another node has written: decides and appends under the lock. */
  async function writeLocked(entries: readonly Entry[]): Promise<void> {
    const ids = producerIds(entries);
    const nextBefore = topic.tip.value.nextOffset;
    let decided: { plan: CommitPlan; write?: AppendWrite; frames?: Frames; head: Head } | undefined;
    const outcome = await lanes.attempt("append", (store) =>
      store.appendLocked(topic.topicId, ids, (locked) => {
        if (locked.head.nextOffset < nextBefore || locked.head.epoch !== topic.epoch) {
          topic.observe(locked.head, nextBefore);
          return undefined;
        }
        adopt(locked, ids);
        const plan = decide(currentView(), entries);
        decided = { plan, head: locked.head };
        if (plan.records === 0) return undefined;
        const prepared = prepareAppend(topic, locked.head, plan, parts);
        decided = { plan, head: locked.head, ...prepared };
        return prepared.write;
      }),
    );
    if (outcome === undefined) topic.markDeleted();
    if (topic.isOver || decided === undefined) throw overError(topic);
    if (outcome === "committed" && decided.write !== undefined && decided.frames !== undefined) {
      applied(entries, decided.plan, decided.write, decided.head, decided.frames);
    } else {
      topic.observe(decided.head, nextBefore);
      settle(entries, decided.plan);
    }
  }

  /**
   * Order matters: first the view, then the tail, then the head (so a follower that it wakes finds the tail filled),
   * then the acknowledgements.
   */
  function applied(
    entries: readonly Entry[],
    plan: CommitPlan,
    write: AppendWrite,
    before: Head,
    frames: Frames,
  ): void {
    const head = headAfter(before, write);
    if (view !== undefined) {
      view.head = head;
      for (const producer of plan.producers) remember(producer.id, producer);
    }
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
    room = observeAppend(topic, { before, write }, parts);
    settle(entries, plan);
    if (!isKept) parts.buffers.give(frames.bytes);
    entries.forEach(({ batch }, index) => {
      // A refused batch may be tried again by its call. No other batch is still on its way, since the database has
      // answered.
      const isDone = plan.fates[index]?.kind !== "refused";
      if (isDone && batch.frames !== frames.bytes) parts.buffers.give(batch.frames);
    });
  }

  function settle(entries: readonly Entry[], plan: CommitPlan): void {
    const nowMs = clock.monotonicMs();
    entries.forEach((entry, index) => {
      const fate = plan.fates[index];
      if (fate === undefined) return;
      if (fate.kind === "refused") return refuse(entry, fate.error);
      entry.share.release();
      metrics.appendSeconds.observe((nowMs - entry.arrivedMs) / 1000);
      entry.done.resolve({ ...fate.range, epoch: topic.epoch, repeated: fate.kind === "repeated" });
    });
  }

  function refuse(entry: Entry, error: unknown): void {
    failedCalls.add(entry.call);
    entry.share.release();
    entry.done.reject(error);
  }

  function decide(from: TopicView, entries: readonly Entry[]): CommitPlan {
    return planCommit(from, entries, { topic: topic.name, producerWindow: limits.producerWindow, failedCalls });
  }

  function currentView(): TopicView & { head: Head } {
    if (view === undefined) throw new MillraceError("internal", "An appender decided without a view");
    return view;
  }

  async function refreshView(ids: readonly string[]): Promise<void> {
    const nextBefore = topic.tip.value.nextOffset;
    const read = await lanes.attempt("append", (store) => store.readView(topic.topicId, ids));
    if (read === undefined) topic.markDeleted();
    else topic.observe(read.head, nextBefore);
    if (read === undefined || topic.isOver) throw overError(topic);
    adopt(read, ids);
  }

  /** Takes over a fresh view. Cached producers stay only if nobody else has written since. */
  function adopt(read: LockedView, ids: readonly string[]): void {
    const isUnmoved = view !== undefined && view.head.nextOffset === read.head.nextOffset;
    view = { head: read.head, producers: isUnmoved && view !== undefined ? view.producers : new Map() };
    for (const id of ids) remember(id, undefined);
    for (const producer of read.producers) remember(producer.id, producer);
  }

  function remember(id: string, state: ProducerState | undefined): void {
    if (view === undefined) return;
    view.producers.delete(id);
    view.producers.set(id, state);
    for (const oldest of view.producers.keys()) {
      if (view.producers.size <= cachedProducersMax) break;
      view.producers.delete(oldest);
    }
  }

  function entryOf(order: BatchOrder, share: BudgetShare): Entry {
    const entry: Entry = { ...order, done: deferred<Appended>(), share, arrivedMs: clock.monotonicMs() };
    // The caller that waits sees the rejection. That nobody waits is no fault.
    entry.done.promise.catch(() => undefined);
    queued.add(entry);
    return entry;
  }

  return {
    waiting: parts.budget,
    async enqueue(order, signal) {
      const entry = entryOf(order, await parts.budget.acquire(weightOf(order), signal));
      try {
        await queue.sender.send(entry, signal);
      } catch (error) {
        queued.delete(entry);
        entry.share.release();
        throw error instanceof ChannelClosedError ? draining() : error;
      }
      return { acknowledged: entry.done.promise };
    },
    tryEnqueue(order) {
      const share = parts.budget.tryAcquire(weightOf(order));
      if (share === undefined) return undefined;
      const entry = entryOf(order, share);
      if (!isClosed && queue.sender.trySend(entry)) return { acknowledged: entry.done.promise };
      queued.delete(entry);
      share.release();
      return undefined;
    },
    withdraw(call) {
      failedCalls.add(call);
      for (const entry of queued) {
        if (entry.call !== call) continue;
        queued.delete(entry);
        // The queue holds the entry until its turn comes. Its bytes are freed now (invariant 9).
        entry.batch = noRecords;
        refuse(entry, new MillraceError("call-ended", "Not applied: the call ended first"));
      }
    },
    async close() {
      isClosed = true;
      const waiting = [...queued];
      queued.clear();
      for (const entry of waiting) refuse(entry, draining());
      queue.receiver.close();
      await finished;
    },
  };
}

function weightOf(order: BatchOrder): number {
  return Math.max(1, order.batch.frames.length);
}

function producerIds(entries: readonly Entry[]): string[] {
  const ids = new Set<string>();
  for (const { producer } of entries) if (producer !== undefined) ids.add(producer.id);
  return [...ids];
}

function draining(): MillraceError {
  return new MillraceError("draining", "The node is shutting down", { retryDelayMs: 1000 });
}
