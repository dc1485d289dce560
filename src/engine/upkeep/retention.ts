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
import type { StampClock } from "../topics/stamp-clock.js";
import { defaultRetention, type Topic } from "../topics/topic.js";
import type { TopicCache } from "../topics/topic-cache.js";
import { BlockSweep } from "./block-sweep.js";
import { expiredFront } from "./expired-front.js";

const roundMs = 5000;
const topicsPerRead = 1000;
/** The pause between two passes over the topics that exceed their bounds. It decides how far they run ahead. */
const pauseMs = 5;
/** How long publishers wait for a trim. */
const trimWaitMs = 1000;
/** The wait after a failure. */
const retryMs = 1000;

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

export class RetentionKeeper {
  readonly #parts: RetentionParts;
  readonly #defaults;
  readonly #sweep: BlockSweep;
  /** There is something urgent. */
  readonly #woken = new Watch(0);
  /** There is something for the round. */
  readonly #lookNow = new Watch(0);
  /** Moves after each pass over the topics that exceeded their bounds. */
  readonly #trimmed = new Watch(0);
  /** Topics that this node's own commits took over their bounds. */
  readonly #over = new Set<Topic>();
  #stopping: AbortSignal | undefined;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
    this.#defaults = defaultRetention(parts.limits);
    this.#sweep = new BlockSweep({ ...parts, onWork: () => this.#woken.set(this.#woken.value + 1) });
  }

  /** This node committed to the topic. Gives a promise if the next commit has to wait for a trim. */
  appended(topic: Topic): Promise<void> | undefined {
    if (!topic.isOverRetention) return undefined;
    if (!this.#over.has(topic)) {
      this.#over.add(topic);
      this.#woken.set(this.#woken.value + 1);
    }
    if (!topic.isFarOverRetention) return undefined;
    const waiting = this.#trimmed.changed(this.#trimmed.version, {
      timeoutMs: trimWaitMs,
      timers: this.#parts.clock,
      ...(this.#stopping && { signal: this.#stopping }),
    });
    return waiting.then(
      () => undefined,
      () => undefined,
    );
  }

  /** A topic's retention was changed: the next round begins now. */
  wake(): void {
    this.#lookNow.set(this.#lookNow.value + 1);
  }

  /** Runs until the signal aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    this.#stopping = signal;
    const { clock, logger } = this.#parts;
    const onError = (error: unknown) => logger.warn({ err: error }, "retention failed; trying again");
    const options = { everyMs: roundMs, retryMs, timers: clock, onError };
    await Promise.all([
      repeat(() => this.#keepUp(signal), { ...options, woken: this.#woken }, signal),
      repeat(() => this.#round(signal), { ...options, woken: this.#lookNow }, signal),
    ]);
  }

  /** Does what is urgent: trims, and then one run of deletions. Returns how long the rest may wait. */
  async #keepUp(signal: AbortSignal): Promise<number> {
    await this.#trimOver(signal);
    if (await this.#sweep.step(signal)) return 0;
    if (this.#over.size === 0) return this.#sweep.patienceMs ?? roundMs;
    // Commits to these topics keep waking this loop; a trim for each commit is not worth it.
    await sleep(pauseMs, this.#parts.clock, signal);
    return 0;
  }

  async #trimOver(signal: AbortSignal): Promise<void> {
    for (const topic of this.#over) {
      this.#over.delete(topic);
      if (topic.isOver || !topic.isOverRetention) continue;
      const { nextOffset, earliestOffset } = topic.tip.value;
      const head = await this.#apply({ topicId: topic.topicId }, signal);
      if (head === undefined) await this.#refresh(topic, signal);
      else {
        topic.observe(head, nextOffset);
        this.#sweep.note(topic.topicId, head.earliestOffset - earliestOffset);
      }
      this.#trimmed.set(this.#trimmed.value + 1);
    }
  }

  /** Does what is not urgent: all other topics that exceed a bound. */
  async #round(signal: AbortSignal): Promise<void> {
    const { lanes, cache, stampClock } = this.#parts;
    const known = new Map<number, Topic>();
    for (const { topic } of cache.open()) known.set(topic.topicId, topic);
    for (let after: number | undefined = 0; after !== undefined && !signal.aborted; ) {
      const nowMicros = stampClock.now();
      const request: OverdueRequest = { after, count: topicsPerRead, nowMicros, defaults: this.#defaults };
      const found: OverdueRead = await lanes.run("history", (store) => store.findOverdue(request), signal);
      for (const topicId of found.topicIds) await this.#trim({ topicId }, known.get(topicId), signal);
      after = found.after;
    }
    await this.#trimExpired(known, signal);
  }

  /** Trims records at the front whose lifetime is over, whatever the retention. */
  async #trimExpired(known: ReadonlyMap<number, Topic>, signal: AbortSignal): Promise<void> {
    const { lanes, stampClock } = this.#parts;
    for (let after = 0; !signal.aborted; ) {
      const heads = await lanes.run("history", (store) => store.findExpiring(after, topicsPerRead), signal);
      for (const head of heads) {
        const { topicId } = head;
        const beforeOffset = await expiredFront(lanes, head, stampClock.now(), signal);
        if (beforeOffset > head.earliestOffset) {
          await this.#trim({ topicId, beforeOffset }, known.get(topicId), signal);
        }
      }
      const last = heads.at(-1);
      if (last === undefined || heads.length < topicsPerRead) return;
      after = last.topicId;
    }
  }

  /** `topic`: the topic as this node knows it. */
  async #trim(call: TrimCall, topic: Topic | undefined, signal: AbortSignal): Promise<void> {
    const nextBefore = topic?.tip.value.nextOffset ?? 0;
    const head = await this.#applyOrLog(call, signal);
    if (head === undefined) return;
    // How many records were trimmed is not known here.
    this.#sweep.note(call.topicId, Number.POSITIVE_INFINITY);
    if (topic === undefined) return;
    // The topic may have exceeded a bound that this node does not know yet.
    if (!topic.isOverRetention) await this.#refresh(topic, signal);
    topic.observe(head, nextBefore);
  }

  /** A topic that cannot be trimmed is logged: it must not keep others from being trimmed. */
  async #applyOrLog(call: TrimCall, signal: AbortSignal): Promise<Head | undefined> {
    try {
      return await this.#apply(call, signal);
    } catch (error) {
      if (signal.aborted || error instanceof StoreUnavailableError) throw error;
      this.#parts.logger.warn({ err: error, topic_id: call.topicId }, "a topic cannot be trimmed");
      return undefined;
    }
  }

  #apply(call: TrimCall, signal: AbortSignal): Promise<Head | undefined> {
    const { lanes, stampClock } = this.#parts;
    const request = { ...call, nowMicros: stampClock.now(), defaults: this.#defaults };
    return lanes.run("append", (store) => store.applyRetention(request), signal);
  }

  /** Reads a topic again: another node trimmed it, or its bounds were changed. */
  async #refresh(topic: Topic, signal: AbortSignal): Promise<void> {
    const { lanes, cache } = this.#parts;
    const stored = await lanes.run("live", (store) => store.findTopic(topic.name), signal);
    if (stored?.head.topicId === topic.topicId) cache.observe(stored);
  }
}

/** The topic, and with `beforeOffset` where it is trimmed to besides its retention. */
type TrimCall = Pick<RetentionCall, "topicId" | "beforeOffset">;
