/**
 * Keeps topics within their bounds, in the background and in small steps. The node that appends sees at once when a topic
 * is clearly over its bound of records or bytes; everything else (ages, topics that another node or nobody writes to,
 * bounds that were changed) is found by a round every few seconds. A trim raises the earliest offset in one short
 * statement; the rows go after it, ascending, a run a statement.
 *
 * One statement is under way at a time: a trim would wait for the deletion of the same topic's rows, and its publishers
 * for the trim. They stand in the lane of appends and take their turn there, so that rows go as fast as they come, and an
 * append waits for one step at most.
 */

import type { Limits } from "../core/index.js";
import type { Head, OverdueRead, OverdueRequest, RetentionCall } from "../store/index.js";
import { sleep, Watch } from "../streams/index.js";
import type { Clock, Logger } from "../telemetry/index.js";
import type { DatabaseLanes } from "./database-lanes.js";
import { expiredFront } from "./expired-front.js";
import type { StampClock } from "./stamp-clock.js";
import { defaultRetention, type Topic } from "./topic.js";
import type { TopicCache } from "./topic-cache.js";

const roundMs = 5000;
const topicsPerRead = 1000;
/** Rows that one statement deletes: a few milliseconds. */
const rowsPerStep = 2000;
/** Between two looks at topics that are over: how far each of them runs ahead meanwhile. */
const pauseMs = 5;
/** How long to wait after a failure. */
const retryMs = 1000;
/** Dead rows are vacuumed away not more often than this, and not before there are so many. */
const vacuumPauseMs = 1000;
const deadRowsLeast = 20_000;

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

export interface RetentionKeeper {
  /** A commit of this node went to the topic. */
  appended(topic: Topic): void;
  /** A topic's retention was changed: look now. */
  wake(): void;
  /** Runs until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

export function createRetention(parts: RetentionParts): RetentionKeeper {
  const { lanes, cache, clock, stampClock, logger } = parts;
  const defaults = defaultRetention(parts.limits);
  const woken = new Watch(0);
  const over = new Set<Topic>();
  /** Topics with rows out of reach, by id; the next in turn first. */
  const swept = new Set<number>();
  let roundDueMs = 0;
  let isVacuuming = false;
  let vacuumDueMs = 0;
  let deadRows = 0;

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
      const nextBefore = topic.tip.value.nextOffset;
      const head = await apply({ topicId: topic.topicId }, signal);
      if (head === undefined) await refresh(topic, signal);
      else {
        topic.observe(head, nextBefore);
        swept.add(topic.topicId);
      }
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
    const head = await apply(beforeOffset === undefined ? { topicId } : { topicId, beforeOffset }, signal);
    if (head === undefined) return;
    swept.add(topicId);
    if (topic === undefined) return;
    // It may have come over a bound that this node does not know yet.
    if (!topic.isOverRetention) await refresh(topic, signal);
    topic.observe(head, nextBefore);
  }

  /** Records at the front whose lifetime is over go, whatever the topic keeps. */
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

  /** One run of rows that are out of reach. */
  async function sweep(signal: AbortSignal): Promise<void> {
    const [topicId] = swept;
    if (topicId === undefined) return;
    swept.delete(topicId);
    const deleted = await lanes.run("append", (store) => store.deleteTrimmed(topicId, rowsPerStep), signal);
    deadRows += deleted;
    if (deleted >= rowsPerStep) swept.add(topicId);
    if (deadRows >= deadRowsLeast && !isVacuuming && clock.monotonicMs() >= vacuumDueMs) {
      parts.track(vacuum(signal));
    }
  }

  /** Beside everything else: trims must not wait for it. */
  async function vacuum(signal: AbortSignal): Promise<void> {
    isVacuuming = true;
    deadRows = 0;
    try {
      await lanes.run("history", (store) => store.vacuum(), signal);
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, "the vacuum behind retention failed; trying again");
    } finally {
      isVacuuming = false;
      vacuumDueMs = clock.monotonicMs() + vacuumPauseMs;
    }
  }

  async function step(signal: AbortSignal): Promise<void> {
    await trimOver(signal);
    if (clock.monotonicMs() >= roundDueMs) {
      // Before the round: a wake during it asks for another.
      roundDueMs = clock.monotonicMs() + roundMs;
      await round(signal);
    }
    await sweep(signal);
  }

  return {
    appended(topic) {
      if (!topic.isOverRetention || over.has(topic)) return;
      over.add(topic);
      woken.set(woken.value + 1);
    },
    wake() {
      roundDueMs = 0;
      woken.set(woken.value + 1);
    },
    async run(signal) {
      while (!signal.aborted) {
        const { version } = woken;
        try {
          await step(signal);
          if (swept.size > 0) continue;
          if (over.size > 0) await sleep(pauseMs, signal);
          else {
            const timeoutMs = Math.max(0, roundDueMs - clock.monotonicMs());
            await woken.changed(version, { signal, timeoutMs });
          }
        } catch (error) {
          if (signal.aborted) return;
          logger.warn({ err: error }, "retention failed; trying again");
          await sleep(retryMs, signal).catch(() => undefined);
        }
      }
    },
  };
}
