/**
 * Keeps topics within their bounds, in the background and in small steps. The node that appends sees at once when a topic
 * is clearly over its bound of records or bytes; everything else (ages, topics that another node or nobody writes to,
 * bounds that were changed) is found by a round every few seconds. A trim raises the earliest offset in one short
 * statement; the rows go after it, ascending, a run a statement. A topic that runs away from its trims, on a machine that
 * has too much to do, makes its publishers wait for them.
 *
 * Of a topic's trims and deletions one is under way at a time: a trim would wait for the deletion, and its publishers for
 * the trim. They stand in the lane of appends and take their turn there, so that rows go as fast as they come, and an
 * append waits for one step at most.
 */

import type { Limits } from "../core/index.js";
import {
  type Head,
  type OverdueRead,
  type OverdueRequest,
  type RetentionCall,
  StoreUnavailableError,
} from "../store/index.js";
import { sleep, Watch } from "../streams/index.js";
import type { Clock, Logger } from "../telemetry/index.js";
import type { DatabaseLanes } from "./database-lanes.js";
import { expiredFront } from "./expired-front.js";
import type { StampClock } from "./stamp-clock.js";
import { defaultRetention, type Topic } from "./topic.js";
import type { TopicCache } from "./topic-cache.js";

const roundMs = 5000;
const topicsPerRead = 1000;
/** Blocks that one statement deletes: a few milliseconds. Half as many take nearly as long. */
const blocksPerStep = 1000;
/** Fewer records wait for more to come, but not longer than this. */
const sweptRecords = 4000;
const sweepPauseMs = 500;
/** Between two looks at topics that are over: how far each of them runs ahead meanwhile. */
const pauseMs = 5;
/** How long publishers wait for a trim that does not come. */
const trimWaitMs = 1000;
/** How long to wait after a failure. */
const retryMs = 1000;
/** How often the database is asked to reclaim the space of deleted blocks. */
const reclaimPauseMs = 1000;

export interface RetentionParts {
  readonly lanes: DatabaseLanes;
  readonly cache: TopicCache;
  readonly limits: Limits;
  readonly stampClock: StampClock;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A background promise that the engine's close waits for. */
  readonly track: (task: Promise<unknown>) => void;
}

/** What waits to be deleted of one topic. */
interface Sweep {
  /** Records that went out of reach, of which there are blocks. */
  readonly records: number;
  /** When it is done even if it is little. */
  readonly dueMs: number;
}

export interface RetentionKeeper {
  /** A commit of this node went to the topic. Gives a promise where the next one must wait until it was trimmed. */
  appended(topic: Topic): Promise<void> | undefined;
  /** A topic's retention was changed: look now. */
  wake(): void;
  /** Runs until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

export function createRetention(parts: RetentionParts): RetentionKeeper {
  const { lanes, cache, clock, stampClock, logger } = parts;
  const defaults = defaultRetention(parts.limits);
  const woken = new Watch(0);
  const lookNow = new Watch(0);
  /** Moves with every pass over those that were over. */
  const trimmed = new Watch(0);
  let stopping: AbortSignal | undefined;
  const over = new Set<Topic>();
  /** Topics with blocks out of reach, by id; the next in turn first. */
  const swept = new Map<number, Sweep>();
  let isReclaiming = false;
  let reclaimDueMs = 0;
  let deadBlocks = 0;

  function apply(
    call: Pick<RetentionCall, "topicId" | "beforeOffset">,
    signal: AbortSignal,
  ): Promise<Head | undefined> {
    const nowMicros = stampClock.now();
    return lanes.run("append", (store) => store.applyRetention({ ...call, nowMicros, defaults }), signal);
  }

  /** Those that this node's own commits took over their bounds. */
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

  /** What this node knows of a topic was old: another one trimmed it, or changed its bounds. */
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
    // One topic that cannot be trimmed must not keep the others from it.
    const head = await applyOrLog(beforeOffset === undefined ? { topicId } : { topicId, beforeOffset }, signal);
    if (head === undefined) return;
    // How many those are, is not known here.
    noteSweep(topicId, Number.POSITIVE_INFINITY);
    if (topic === undefined) return;
    // It may have come over a bound that this node does not know yet.
    if (!topic.isOverRetention) await refresh(topic, signal);
    topic.observe(head, nextBefore);
  }

  /** Records at the front whose lifetime is over go, whatever the topic keeps. */
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

  /** One run of blocks that are out of reach. False: nothing is due. */
  async function sweep(signal: AbortSignal): Promise<boolean> {
    const nowMs = clock.monotonicMs();
    for (const [topicId, { records, dueMs }] of swept) {
      if (records < sweptRecords && dueMs > nowMs) continue;
      swept.delete(topicId);
      const deleted = await lanes.run(
        "append",
        (store) => store.deleteTrimmed({ topicId, count: blocksPerStep }),
        signal,
      );
      // The rest stands behind the others that wait.
      if (deleted >= blocksPerStep) noteSweep(topicId, records);
      deadBlocks += deleted;
      if (!isReclaiming && nowMs >= reclaimDueMs) parts.track(reclaim(signal));
      return true;
    }
    return false;
  }

  /** Beside everything else: trims must not wait for it. */
  async function reclaim(signal: AbortSignal): Promise<void> {
    isReclaiming = true;
    const deleted = deadBlocks;
    try {
      if (await lanes.run("history", (store) => store.reclaimBlocks(deleted), signal)) deadBlocks -= deleted;
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, "the space of deleted blocks was not reclaimed; trying again");
    } finally {
      isReclaiming = false;
      reclaimDueMs = clock.monotonicMs() + reclaimPauseMs;
    }
  }

  /** What is urgent: trims, and a run of deletions behind them. */
  async function keepUp(signal: AbortSignal): Promise<void> {
    const { version } = woken;
    await trimOver(signal);
    if (await sweep(signal)) return;
    if (over.size > 0) return sleep(pauseMs, clock, signal);
    const timeoutMs = swept.size > 0 ? sweepPauseMs : roundMs;
    await woken.changed(version, { signal, timeoutMs, timers: clock });
  }

  /** What can wait: everything else that there is. */
  async function lookAround(signal: AbortSignal): Promise<void> {
    const { version } = lookNow;
    await round(signal);
    await lookNow.changed(version, { signal, timeoutMs: roundMs, timers: clock });
  }

  async function repeat(step: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await step(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ err: error }, "retention failed; trying again");
        await sleep(retryMs, clock, signal).catch(() => undefined);
      }
    }
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
      await Promise.all([repeat(keepUp, signal), repeat(lookAround, signal)]);
    },
  };
}
