/**
 * Keeps topics within their retention, in the background and in small steps. The node that appends sees at once when a
 * topic clearly exceeds its bound of records or bytes. A round every few seconds finds the rest: ages, topics that
 * other nodes write to or nobody does, and changed bounds. A trim raises the earliest offset in one short statement;
 * afterwards the blocks are deleted, ascending, a run for each statement. When publishers outrun the trims on an
 * overloaded machine, they wait for them.
 *
 * For each topic only one trim or deletion runs at a time: a trim would wait for the deletion, and publishers for the
 * trim. Both use the lane of appends and take their turn there, so that blocks are deleted as fast as they are written,
 * and an append waits for at most one step.
 */

import type { Limits } from "../../core/index.js";
import {
  type Head,
  type OverdueRead,
  type OverdueRequest,
  type RetentionCall,
  StoreUnavailableError,
} from "../../store/index.js";
import { repeat, sleep, Watch } from "../../streams/index.js";
import type { Clock, Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { expiredFront } from "./expired-front.js";
import type { StampClock } from "../topics/stamp-clock.js";
import { defaultRetention, type Topic } from "../topics/topic.js";
import type { TopicCache } from "../topics/topic-cache.js";

const roundMs = 5000;
const topicsPerRead = 1000;
/** Blocks that one statement deletes: a few milliseconds. Half as many take nearly as long. */
const blocksPerStep = 1000;
/** Fewer deletable records wait for more, but not longer than this. */
const sweptRecords = 4000;
const sweepPauseMs = 500;
/** The pause between two passes over the topics that exceed their bounds. It decides how far they run ahead. */
const pauseMs = 5;
/** How long publishers wait for a trim. */
const trimWaitMs = 1000;
/** The wait after a failure. */
const retryMs = 1000;
/** How often a vacuum of the deleted blocks is considered, and from how many of them on. */
const vacuumPauseMs = 1000;
const deadBlocksMin = 500;

export interface RetentionParts {
  readonly lanes: DatabaseLanes;
  readonly cache: TopicCache;
  readonly limits: Limits;
  readonly stampClock: StampClock;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes a background promise that the engine's close waits for. */
  readonly track: (task: Promise<unknown>) => void;
}

/** What is to be deleted of one topic. */
interface Sweep {
  /** Records below the earliest offset, which stand in blocks. */
  readonly records: number;
  /** When it is deleted even if it is little. */
  readonly dueMs: number;
}

export interface RetentionKeeper {
  /** This node committed to the topic. Gives a promise if the next commit has to wait for a trim. */
  appended(topic: Topic): Promise<void> | undefined;
  /** A topic's retention was changed: the next round begins now. */
  wake(): void;
  /** Runs until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

export function createRetention(parts: RetentionParts): RetentionKeeper {
  const { lanes, cache, clock, stampClock, logger } = parts;
  const defaults = defaultRetention(parts.limits);
  const woken = new Watch(0);
  const lookNow = new Watch(0);
  /** Moves after each pass over the topics that exceeded their bounds. */
  const trimmed = new Watch(0);
  let stopping: AbortSignal | undefined;
  const over = new Set<Topic>();
  /** Topics with blocks to delete, by id; the next in turn is first. */
  const swept = new Map<number, Sweep>();
  let isVacuuming = false;
  let vacuumDueMs = 0;
  let deadBlocks = 0;

  function apply(
    call: Pick<RetentionCall, "topicId" | "beforeOffset">,
    signal: AbortSignal,
  ): Promise<Head | undefined> {
    const nowMicros = stampClock.now();
    return lanes.run("append", (store) => store.applyRetention({ ...call, nowMicros, defaults }), signal);
  }

  /** Trims the topics that this node's own commits took over their bounds. */
  async function trimOver(signal: AbortSignal): Promise<void> {
    for (const topic of over) {
      over.delete(topic);
      if (topic.isOver || !topic.isOverRetention) continue;
      const { nextOffset, earliestOffset } = topic.tip.value;
      const head = await apply({ topicId: topic.topicId }, signal);
      if (head === undefined) await refresh(topic, signal);
      else {
        topic.observe(head, nextOffset);
        noteSweep(topic.topicId, head.earliestOffset - earliestOffset);
      }
      trimmed.set(trimmed.value + 1);
    }
  }

  /** Reads a topic again: another node trimmed it, or its bounds were changed. */
  async function refresh(topic: Topic, signal: AbortSignal): Promise<void> {
    const stored = await lanes.run("live", (store) => store.findTopic(topic.name), signal);
    if (stored?.head.topicId === topic.topicId) cache.observe(stored);
  }

  async function round(signal: AbortSignal): Promise<void> {
    const known = new Map<number, Topic>();
    for (const { topic } of cache.open()) known.set(topic.topicId, topic);
    for (let after: number | undefined = 0; after !== undefined && !signal.aborted; ) {
      const request: OverdueRequest = { after, count: topicsPerRead, nowMicros: stampClock.now(), defaults };
      const found: OverdueRead = await lanes.run("history", (store) => store.findOverdue(request), signal);
      for (const topicId of found.topicIds) await trim(topicId, known.get(topicId), signal);
      after = found.after;
    }
    await trimExpired(known, signal);
  }

  async function trim(
    topicId: number,
    topic: Topic | undefined,
    signal: AbortSignal,
    beforeOffset?: number,
  ): Promise<void> {
    const nextBefore = topic?.tip.value.nextOffset ?? 0;
    // A topic that cannot be trimmed must not keep others from being trimmed.
    const head = await applyOrLog(beforeOffset === undefined ? { topicId } : { topicId, beforeOffset }, signal);
    if (head === undefined) return;
    // Their number is not known here.
    noteSweep(topicId, Number.POSITIVE_INFINITY);
    if (topic === undefined) return;
    // The topic may have exceeded a bound that this node does not know yet.
    if (!topic.isOverRetention) await refresh(topic, signal);
    topic.observe(head, nextBefore);
  }

  /** Trims records at the front whose lifetime is over, whatever the retention. */
  async function applyOrLog(call: Parameters<typeof apply>[0], signal: AbortSignal): Promise<Head | undefined> {
    try {
      return await apply(call, signal);
    } catch (error) {
      if (signal.aborted || error instanceof StoreUnavailableError) throw error;
      logger.warn({ err: error, topic_id: call.topicId }, "a topic cannot be trimmed");
      return undefined;
    }
  }

  async function trimExpired(known: ReadonlyMap<number, Topic>, signal: AbortSignal): Promise<void> {
    for (let after = 0; !signal.aborted; ) {
      const heads = await lanes.run("history", (store) => store.findExpiring(after, topicsPerRead), signal);
      for (const head of heads) {
        const beforeOffset = await expiredFront(lanes, head, stampClock.now(), signal);
        if (beforeOffset > head.earliestOffset) await trim(head.topicId, known.get(head.topicId), signal, beforeOffset);
      }
      const last = heads.at(-1);
      if (last === undefined || heads.length < topicsPerRead) return;
      after = last.topicId;
    }
  }

  function noteSweep(topicId: number, records: number): void {
    const before = swept.get(topicId);
    const dueMs = before?.dueMs ?? clock.monotonicMs() + sweepPauseMs;
    swept.set(topicId, { records: (before?.records ?? 0) + records, dueMs });
    woken.set(woken.value + 1);
  }

  /** Deletes one run of blocks below the earliest offset. False: nothing is due. */
  async function sweep(signal: AbortSignal): Promise<boolean> {
    const nowMs = clock.monotonicMs();
    for (const [topicId, { records, dueMs }] of swept) {
      if (records < sweptRecords && dueMs > nowMs) continue;
      swept.delete(topicId);
      const deleted = await lanes.run("append", (store) => store.deleteTrimmed(topicId, blocksPerStep), signal);
      // The rest waits behind the other topics.
      if (deleted >= blocksPerStep) noteSweep(topicId, records);
      deadBlocks += deleted;
      if (deadBlocks >= deadBlocksMin && !isVacuuming && nowMs >= vacuumDueMs) parts.track(vacuum(signal));
      return true;
    }
    return false;
  }

  /** Runs beside the loop, since trims must not wait for it. */
  async function vacuum(signal: AbortSignal): Promise<void> {
    isVacuuming = true;
    const deleted = deadBlocks;
    try {
      if (await lanes.run("history", (store) => store.vacuumBlocks(deleted), signal)) deadBlocks -= deleted;
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, "the vacuum behind retention failed; trying again");
    } finally {
      isVacuuming = false;
      vacuumDueMs = clock.monotonicMs() + vacuumPauseMs;
    }
  }

  /** Does what is urgent: trims, and then one run of deletions. Returns how long the rest may wait. */
  async function keepUp(signal: AbortSignal): Promise<number> {
    await trimOver(signal);
    if (await sweep(signal)) return 0;
    if (over.size === 0) return swept.size > 0 ? sweepPauseMs : roundMs;
    // Commits to these topics keep waking this loop; a trim for each commit is not worth it.
    await sleep(pauseMs, clock, signal);
    return 0;
  }

  return {
    appended(topic) {
      if (!topic.isOverRetention) return undefined;
      if (!over.has(topic)) {
        over.add(topic);
        woken.set(woken.value + 1);
      }
      if (!topic.isFarOverRetention) return undefined;
      const waiting = trimmed.changed(trimmed.version, {
        timeoutMs: trimWaitMs,
        timers: clock,
        ...(stopping && { signal: stopping }),
      });
      return waiting.then(
        () => undefined,
        () => undefined,
      );
    },
    wake: () => lookNow.set(lookNow.value + 1),
    async run(signal) {
      stopping = signal;
      const onError = (error: unknown) => logger.warn({ err: error }, "retention failed; trying again");
      const options = { everyMs: roundMs, retryMs, timers: clock, onError };
      await Promise.all([
        repeat(keepUp, { ...options, woken }, signal),
        // Everything that is not urgent.
        repeat(round, { ...options, woken: lookNow }, signal),
      ]);
    },
  };
}
