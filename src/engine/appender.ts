/**
 * One appender a topic and node: a queue and group commit. While a commit is under way, arriving batches wait; the next
 * commit takes them all (up to `commitBytes`). It decides on a cached view of the topic and appends with one statement
 * that checks the view; if another node has written, it decides again under the topic's row lock (design §3).
 *
 * An acknowledgement is given after the commit (invariant 2). When the connection breaks during a commit its outcome is
 * unknown: everything in it is refused as unavailable, the view is dropped, and the head is read again at once, since
 * followers must see what may have been committed.
 */

import { type BufferPool, type Limits, MillraceError, type ProducerState, topicDeleted } from "../core/index.js";
import type { AppendWrite, Head, LockedView } from "../store/index.js";
import { channel, ChannelClosedError, type Deferred, deferred } from "../streams/index.js";
import type { Clock, Metrics } from "../telemetry/index.js";
import { type Frames, noRecords, type RecordBatch } from "../wire/index.js";
import { headAfter, prepareAppend } from "./append-write.js";
import { type BatchOrder, type CommitPlan, planCommit, type TopicView } from "./commit-plan.js";
import { asUnavailable, type DatabaseLanes } from "./database-lanes.js";
import type { Appended } from "./engine.js";
import type { BudgetShare, TopicBudget } from "./publish-budget.js";
import { rereadHead } from "./reread-head.js";
import type { SharedCommits } from "./shared-commits.js";
import type { StampClock } from "./stamp-clock.js";
import type { Topic } from "./topic.js";

/** How many producers' states are kept with the view; the longest unused leave first. */
const cachedProducersMax = 1000;
const whenUnknown = "An idempotent producer may simply repeat the batch";

export interface AppenderParts {
  readonly topic: Topic;
  readonly lanes: DatabaseLanes;
  readonly commits: SharedCommits;
  /** The topic's head as it was found. */
  readonly head: Head;
  readonly stampClock: StampClock;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly limits: Limits;
  readonly budget: TopicBudget;
  /** Where the frames of batches come from. */
  readonly buffers: BufferPool;
  /** Told after each commit. What it gives is waited for before the next one. */
  readonly onAppended: (topic: Topic) => Promise<void> | undefined;
}

/** A batch that was taken into the queue. */
export interface QueuedBatch {
  /** Settles when the batch is durable, or refused. Never an unhandled rejection. */
  readonly acknowledged: Promise<Appended>;
}

export interface Appender {
  /**
   * Waits for room in the budget and queues the batch. Batches of one session are applied in the order of their calls,
   * and after the first that is refused none is.
   */
  enqueue(order: BatchOrder, signal?: AbortSignal): Promise<QueuedBatch>;
  /** As `enqueue`, if there is room now; undefined if not. */
  tryEnqueue(order: BatchOrder): QueuedBatch | undefined;
  /** Refuses what is still queued of a session, and gives its memory back at once. */
  withdraw(session: object): void;
  /** Finishes the commit under way and refuses the rest. */
  close(): Promise<void>;
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
    // The budget is the bound; what was withdrawn counts here until its turn comes.
    capacity: limits.publishTopicBytes,
    weigh: weightOf,
  });
  const failedSessions = new WeakSet<object>();
  const queued = new Set<Entry>();
  let view: { head: Head; producers: Map<string, ProducerState | undefined> } | undefined = {
    head: parts.head,
    producers: new Map(),
  };
  /** Set while the topic holds far more than its retention keeps: when it was trimmed. */
  let room: Promise<void> | undefined;
  let isClosed = false;
  /** This node wrote the topic last, as far as it knows. */
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

  /** Never throws: what goes wrong goes to the batches. */
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

  /** Decides on the cached view; what that would refuse is decided again on a fresh one. */
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

  /** Another node has written: decide and append while nobody else can. */
  async function writeLocked(entries: readonly Entry[]): Promise<void> {
    const ids = producerIds(entries);
    const nextBefore = topic.tip.value.nextOffset;
    let decided: { plan: CommitPlan; write?: AppendWrite; frames?: Frames; head: Head } | undefined;
    const outcome = await lanes.attempt("append", (store) =>
      store.appendLocked({
        topicId: topic.topicId,
        producerIds: ids,
        decide(locked) {
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
        },
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

  /** After the commit: the view, the tail, then the head (whoever that wakes finds the tail filled), then the acks. */
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
    topic.observe(head, before.nextOffset);
    room = parts.onAppended(topic);
    metrics.commitRecords.observe(plan.records);
    metrics.recordsIn.inc(plan.records);
    metrics.bytesIn.inc(frames.bytes.length);
    settle(entries, plan);
    if (!isKept) parts.buffers.give(frames.bytes);
    entries.forEach(({ batch }, index) => {
      // Its call may try what was refused again; of the rest nothing is on its way any more, since the database has answered.
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
    failedSessions.add(entry.session);
    entry.share.release();
    entry.done.reject(error);
  }

  function decide(from: TopicView, entries: readonly Entry[]): CommitPlan {
    return planCommit(from, entries, { topic: topic.name, producerWindow: limits.producerWindow, failedSessions });
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

  /** Takes a fresh view. Cached producers stay only while nobody else has written since. */
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
    // Whoever waits for it sees the rejection; that nobody does is no fault.
    entry.done.promise.catch(() => undefined);
    queued.add(entry);
    return entry;
  }

  return {
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
    withdraw(session) {
      failedSessions.add(session);
      for (const entry of queued) {
        if (entry.session !== session) continue;
        queued.delete(entry);
        // The queue holds the entry until its turn comes; the bytes go now (invariant 9).
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

/** Why a topic that is over takes and gives nothing any more. */
export function overError(topic: Topic): MillraceError {
  const { state, nextOffset } = topic.tip.value;
  if (state === "lost") {
    return new MillraceError(
      "data-loss",
      `Topic "${topic.name}" lost records: its database went back in time, and offsets below ${nextOffset} may be given twice. It has a new epoch; start over`,
      { metadata: { topic: topic.name, epoch: String(topic.epoch), next_offset: String(nextOffset) } },
    );
  }
  return topicDeleted(topic.name, { epoch: topic.epoch, offset: nextOffset });
}
