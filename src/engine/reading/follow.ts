/**
 * Following a topic: history, then every new record, from one cursor and without a queue. The generator is resumed when
 * the last message was delivered. A slow follower's cursor simply leaves the tail, and its next pull reads a page from
 * the database instead: "lagged" is not an error here, it is a page read. Nothing can overflow, and nothing is skipped
 * or repeated over the handover, since there is only the one cursor (invariant 5).
 *
 *   catching-up ──its cursor reaches the head──▶ live ──its cursor left the tail──▶ catching-up
 *        any ──topic closed and all delivered──▶ the end
 */

import { type Limits, MillraceError } from "../../core/index.js";
import type { Head } from "../../store/index.js";
import { abortable } from "../../streams/index.js";
import type { Clock, LiveStream, Metrics } from "../../telemetry/index.js";
import { encodePageMessage, type KeepFrame, thinPage } from "../../wire/index.js";
import { overError } from "../appender.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { FollowCommand, FollowMessage, PageMessage } from "../engine.js";
import { chooseFrames } from "./frame-choice.js";
import { type FrameSearch, offsetsOf, searchFor, searchRecordsMax } from "./frame-search.js";
import type { PageAllowance, PageBudget, PageGrant } from "./page-allowance.js";
import type { PageOutcome, PageReader, SearchOutcome } from "./page-reader.js";
import { pageMessage, resumeAfter } from "./read.js";
import type { StampClock } from "../stamp-clock.js";
import { resolveStart } from "./start-offset.js";
import type { Topic } from "../topic.js";
import type { TopicCache } from "../topic-cache.js";

export interface FollowParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly pages: PageReader;
  readonly pageBudget: PageBudget;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly stampClock: StampClock;
  /** In [0, 1): spreads heartbeats. */
  readonly random: () => number;
}

type Phase = "catching-up" | "live";

/** A live follower whose filter lets nothing through is told its position so often, in milliseconds. */
const progressMs = 1000;

/** What the follower does next: decided on the tip, the tail and its phase alone. */
type Step = "over" | "close" | "caught-up" | "wait" | "fell-behind" | "page";

export async function* followTopic(
  parts: FollowParts,
  command: FollowCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<FollowMessage, void, undefined> {
  stream.waitFor("database");
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  lease.topic.followers += 1;
  const follower = new Follower(parts, command, lease.topic, stream, signal);
  try {
    follower.next = await resolveStart(
      command.start ?? { at: "latest" },
      lease.topic,
      stored.head,
      parts.lanes,
      signal,
    );
    await follower.passOver(stored.head);
    yield follower.started(stored.head);
    while (!follower.isDone) {
      // In one expression, and not through `yield*`: a message held by a suspended generator would cost every stalled
      // follower its size once more (invariant 4).
      yield await follower.takeMessage();
      follower.delivered();
    }
  } finally {
    follower.leave();
    lease.topic.followers -= 1;
    lease.release();
  }
}

/** What the message under way changes once it is delivered (invariant 8). */
interface Delivery {
  readonly next: number;
  /** The running total of frame bytes there, when the page came from the database. */
  readonly nextBytes: number | undefined;
  readonly messageBytes: number;
}

class Follower {
  /** The cursor: the offset after the last record that was delivered. */
  next = 0;
  isDone = false;
  readonly #parts: FollowParts;
  readonly #command: FollowCommand;
  readonly #topic: Topic;
  readonly #stream: LiveStream;
  readonly #signal: AbortSignal;
  readonly #allowance: PageAllowance;
  /** What the filter has the database look for, in history. */
  readonly #search: FrameSearch | undefined;
  #phase: Phase = "catching-up";
  /** The running total of frame bytes at `next`, while pages come from the database, and the last one's mean size. */
  #nextBytes: number | undefined;
  #meanFrameBytes: number | undefined;
  /** A page read that has not settled, across the heartbeats that are sent meanwhile. */
  #reading: Promise<PageOutcome | SearchOutcome> | undefined;
  /** When the last message went, of a follower with a filter. */
  #sentAtMs = 0;
  #grant: PageGrant | undefined;
  #delivery: Delivery | undefined;

  constructor(parts: FollowParts, command: FollowCommand, topic: Topic, stream: LiveStream, signal: AbortSignal) {
    this.#parts = parts;
    this.#command = command;
    this.#topic = topic;
    this.#stream = stream;
    stream.measureLag(() => Math.max(0, topic.tip.value.nextOffset - stream.nextOffset));
    this.#signal = signal;
    this.#allowance = parts.pageBudget.forStream();
    this.#search = searchFor(command.filter, topic, parts.lanes);
  }

  /** Goes on from where something can match first. What is no longer kept is not passed over silently. */
  async passOver(head: Head): Promise<void> {
    const { filter } = this.#command;
    if (filter === undefined || this.next < head.earliestOffset) return;
    const { firstOffset } = await offsetsOf(filter, this.#topic, head, this.#parts.lanes, this.#signal);
    this.next = Math.max(this.next, Math.min(firstOffset, head.nextOffset));
  }

  started(head: Head): FollowMessage {
    const { earliestOffset, nextOffset } = head;
    return { kind: "started", earliestOffset, nextOffset, next: this.#position() };
  }

  /** The next message, when there is one. Throws when the topic is over, or the signal aborts. */
  async takeMessage(): Promise<FollowMessage> {
    const { tip } = this.#topic;
    for (;;) {
      this.#signal.throwIfAborted();
      this.#report();
      // Read before the step is chosen: a change after that is seen by the wait.
      const version = tip.version;
      const step = this.#nextStep();
      switch (step) {
        case "over":
          throw overError(this.#topic);
        case "close":
          this.isDone = true;
          return { kind: "closed", next: this.#position() };
        case "caught-up":
          this.#goLive();
          return { kind: "caught-up", next: this.#position() };
        case "wait":
          if (await this.#isQuiet(version)) return this.#heartbeat("new-records");
          break;
        case "fell-behind":
          return this.#fallBehind();
        case "page": {
          const message = await this.#takePage();
          if (message !== undefined) return message;
          break;
        }
        default:
          step satisfies never;
      }
    }
  }

  /** The last message was delivered. */
  delivered(): void {
    const delivery = this.#delivery;
    if (delivery === undefined) return;
    this.#delivery = undefined;
    this.next = delivery.next;
    this.#nextBytes = delivery.nextBytes;
    this.#allowance.delivered(delivery.messageBytes);
    this.#releaseGrant();
  }

  /** Gives up its place among the live, and the room for its page. */
  leave(): void {
    this.#fallFromLive();
    this.#releaseGrant();
  }

  #nextStep(): Step {
    const { tip, tail } = this.#topic;
    const { state, nextOffset } = tip.value;
    if (state === "deleted" || state === "lost") return "over";
    if (this.next < nextOffset) {
      return this.#phase === "live" && this.next < tail.first ? "fell-behind" : "page";
    }
    if (this.#phase === "catching-up") return "caught-up";
    return state === "closed" ? "close" : "wait";
  }

  #goLive(): void {
    const { tail } = this.#topic;
    // Nobody needs what the tail has, and with a hole before this cursor it would take no page any more.
    if (this.#topic.liveFollowers === 0 && tail.next !== this.next) tail.restart(this.next);
    this.#topic.liveFollowers += 1;
    this.#phase = "live";
    this.#nextBytes = undefined;
  }

  #fallBehind(): FollowMessage {
    this.#parts.metrics.followsFellBehind.inc();
    const { nextOffset } = this.#topic.tip.value;
    const from = this.next;
    switch (this.#command.whenBehind) {
      case "catch-up":
        this.#fallFromLive();
        return { kind: "fell-behind", lag: nextOffset - from, next: this.#position() };
      case "skip":
        this.next = nextOffset;
        return { kind: "skipped", reason: "behind", firstOffset: from, nextOffset, next: this.#position() };
      case "fail":
        throw new MillraceError(
          "fell-behind",
          `This follower of topic "${this.#topic.name}" reads too slowly: it is at offset ${from} of ${nextOffset}, which left the node's memory (when_behind is FAIL)`,
          {
            metadata: {
              topic: this.#topic.name,
              epoch: String(this.#topic.epoch),
              offset: String(from),
              earliest_offset: String(this.#topic.tip.value.earliestOffset),
              next_offset: String(nextOffset),
            },
          },
        );
      default:
        return this.#command.whenBehind satisfies never;
    }
  }

  /** One page: from the tail if it is there, else from the database; a heartbeat while that does not answer. */
  async #takePage(): Promise<FollowMessage | undefined> {
    this.#grant ??= this.#allowance.take();
    if (this.#reading === undefined) {
      const cached = this.#readTail(this.#grant.bytes);
      if (cached !== undefined) return this.#send(cached, undefined);
      this.#reading = this.#readDatabase(this.#grant.bytes);
      // Awaited below; a rejection while a heartbeat is on its way is not unhandled.
      this.#reading.catch(() => undefined);
    }
    this.#stream.waitFor("database");
    const reading = this.#reading;
    if (!(await this.#settlesInTime(reading))) return this.#heartbeat("database");
    this.#reading = undefined;
    const outcome = await reading;
    this.#stream.waitFor("nothing");
    return this.#messageOf(outcome, this.#grant.bytes);
  }

  #messageOf(outcome: PageOutcome | SearchOutcome, bytes: number): FollowMessage | undefined {
    switch (outcome.kind) {
      case "page": {
        const { page } = outcome;
        this.#meanFrameBytes = page.frames.length / (page.next - page.first);
        // A live page was read for all and is in the tail now, unless the tail could not take it.
        const cached = this.#readTail(bytes);
        if (cached !== undefined)
          return this.#send(cached, cached.next.offset === page.next ? page.endBytes : undefined);
        return this.#send(pageMessage(page, this.#positionAt(page.next)), page.endBytes);
      }
      case "found":
        this.#search?.reach.adapt(outcome);
        return this.#thin(outcome.frames, this.#choose(), outcome.reached, undefined);
      case "end":
        // The head that the topic knows was ahead of this snapshot: the next look settles it.
        this.#releaseGrant();
        return undefined;
      case "gone":
      case "beyond":
      case "missing":
      case "trimmed": {
        this.#releaseGrant();
        const from = this.next;
        this.next = resumeAfter(outcome, this.#command, this.#topic, from);
        this.#nextBytes = undefined;
        return { kind: "skipped", reason: "trimmed", firstOffset: from, nextOffset: this.next, next: this.#position() };
      }
      default:
        return outcome satisfies never;
    }
  }

  #send(message: PageMessage, nextBytes: number | undefined): PageMessage | undefined {
    const keep = this.#choose();
    if (keep !== undefined) return this.#thin(message.encoded, keep, message.next.offset, nextBytes);
    this.#delivery = { next: message.next.offset, nextBytes, messageBytes: message.encoded.length };
    return message;
  }

  /** Anew for each page: lifetimes end meanwhile. */
  #choose(): KeepFrame | undefined {
    return chooseFrames(this.#command.filter, this.#topic, this.#parts.stampClock);
  }

  /**
   * What is left of frames, after which the follower stands at `reached`. Where that is nothing, history tells
   * its position with every page, and a live follower now and then.
   */
  #thin(
    frames: Uint8Array,
    keep: KeepFrame | undefined,
    reached: number,
    nextBytes: number | undefined,
  ): PageMessage | undefined {
    const kept = thinPage(frames, keep ?? (() => true));
    // Pages are earned by what was looked at: little of it may be left.
    this.#delivery = { next: reached, nextBytes, messageBytes: frames.length };
    const nowMs = this.#parts.clock.monotonicMs();
    if (kept.records === 0 && this.#phase === "live" && nowMs - this.#sentAtMs < progressMs) {
      this.delivered();
      return undefined;
    }
    this.#sentAtMs = nowMs;
    const next = this.#positionAt(reached);
    return { kind: "page", encoded: encodePageMessage(kept.runs, next), records: kept.records, next };
  }

  #readTail(bytes: number): PageMessage | undefined {
    // What was trimmed may be in memory still: it is for those who were there when it came, and for nobody who comes now.
    if (this.#phase === "catching-up" && this.next < this.#topic.tip.value.earliestOffset) return undefined;
    const message = this.#topic.tail.read(this.next, bytes, this.#topic.epoch);
    if (message !== undefined) this.#parts.metrics.pageReads.inc({ source: "tail" });
    return message;
  }

  #readDatabase(bytes: number): Promise<PageOutcome | SearchOutcome> {
    if (this.#phase === "live") return this.#parts.pages.readLive(this.#topic, this.next, this.#signal);
    const cursor = { direction: "forward", offset: this.next, bytes: this.#nextBytes } as const;
    if (this.#search !== undefined) {
      const { reach, needles } = this.#search;
      return this.#parts.pages.searchHistory(
        {
          topic: this.#topic,
          cursor,
          rows: reach.rows,
          walkBytes: reach.bytes,
          skipsBlocks: reach.skipsBlocks,
          needles,
          records: searchRecordsMax,
          bytes,
        },
        this.#signal,
      );
    }
    return this.#parts.pages.readHistory(
      { topic: this.#topic, cursor, bytes, meanFrameBytes: this.#meanFrameBytes },
      this.#signal,
    );
  }

  #fallFromLive(): void {
    if (this.#phase === "live") this.#topic.liveFollowers -= 1;
    this.#phase = "catching-up";
  }

  #releaseGrant(): void {
    this.#grant?.release();
    this.#grant = undefined;
  }

  /** Waits for the head to move. True when a heartbeat is due instead. */
  async #isQuiet(version: number): Promise<boolean> {
    this.#stream.waitFor("new-records");
    const outcome = await this.#topic.tip.changed(version, {
      signal: this.#signal,
      timeoutMs: this.#heartbeatMs(),
      timers: this.#parts.clock,
    });
    this.#stream.waitFor("nothing");
    return outcome === "timed-out";
  }

  async #settlesInTime(read: Promise<unknown>): Promise<boolean> {
    let cancelTimer = (): void => {};
    const due = new Promise<boolean>((resolve) => {
      cancelTimer = this.#parts.clock.startTimer(this.#heartbeatMs(), () => resolve(false));
    });
    const settled = read.then(
      () => true,
      () => true,
    );
    try {
      return await abortable(Promise.race([settled, due]), this.#signal);
    } finally {
      cancelTimer();
    }
  }

  #heartbeat(waiting: "new-records" | "database"): FollowMessage {
    return { kind: "heartbeat", nextOffset: this.#topic.tip.value.nextOffset, waiting, next: this.#position() };
  }

  #heartbeatMs(): number {
    const { heartbeatMinMs, heartbeatMaxMs } = this.#parts.limits;
    return heartbeatMinMs + this.#parts.random() * (heartbeatMaxMs - heartbeatMinMs);
  }

  #position() {
    return this.#positionAt(this.next);
  }

  #positionAt(offset: number) {
    return { epoch: this.#topic.epoch, offset };
  }

  #report(): void {
    this.#stream.nextOffset = this.next;
  }
}
