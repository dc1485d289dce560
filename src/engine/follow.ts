/**
 * Following a topic: history, then every new record, from one cursor and without a queue. The generator is resumed when
 * the last message was delivered. A slow follower's cursor simply leaves the tail, and its next pull reads a page from
 * the database instead: "lagged" is not an error here, it is a page read. Nothing can overflow, and nothing is skipped
 * or repeated over the handover, since there is only the one cursor (invariant 5).
 *
 *   catching-up ──its cursor reaches the head──▶ live ──its cursor left the tail──▶ catching-up
 *        any ──topic closed and all delivered──▶ the end
 */

import { type Limits, MillraceError } from "../core/index.js";
import { abortable } from "../streams/index.js";
import type { LiveStream, Metrics } from "../telemetry/index.js";
import { overError } from "./appender.js";
import type { DatabaseLanes } from "./database-lanes.js";
import type { FollowCommand, FollowMessage, PageMessage } from "./engine.js";
import type { PageAllowance, PageBudget } from "./page-allowance.js";
import type { PageOutcome, PageReader } from "./page-reader.js";
import { pageMessage, resumeAfter } from "./read.js";
import { resolveStart } from "./start-offset.js";
import type { Topic } from "./topic.js";
import type { TopicCache } from "./topic-cache.js";

export interface FollowParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly pages: PageReader;
  readonly pageBudget: PageBudget;
  readonly limits: Limits;
  readonly metrics: Metrics;
  /** In [0, 1): spreads heartbeats. */
  readonly random: () => number;
}

type Phase = "catching-up" | "live";

/** What the follower does next: decided on the tip, the tail and its phase alone. */
type Step =
  | { readonly kind: "over" }
  | { readonly kind: "close" }
  | { readonly kind: "caught-up" }
  | { readonly kind: "wait" }
  | { readonly kind: "fell-behind" }
  | { readonly kind: "page" };

export async function* followTopic(
  parts: FollowParts,
  command: FollowCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<FollowMessage, void, undefined> {
  stream.waitFor("database");
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  const { topic } = lease;
  topic.followers += 1;
  const follower = new Follower(parts, command, topic, stream, signal);
  try {
    const start = command.from ?? { at: "latest" };
    follower.next = await resolveStart(start, topic, stored.head, parts.lanes, signal);
    yield {
      kind: "started",
      earliestOffset: stored.head.earliestOffset,
      nextOffset: stored.head.nextOffset,
      next: { epoch: topic.epoch, offset: follower.next },
    };
    yield* follower.run();
  } finally {
    follower.leave();
    topic.followers -= 1;
    lease.release();
  }
}

class Follower {
  next = 0;
  readonly #parts: FollowParts;
  readonly #command: FollowCommand;
  readonly #topic: Topic;
  readonly #stream: LiveStream;
  readonly #signal: AbortSignal;
  readonly #allowance: PageAllowance;
  #phase: Phase = "catching-up";
  /** The running total of frame bytes at `next`, while pages come from the database. */
  #nextBytes: number | undefined;

  constructor(parts: FollowParts, command: FollowCommand, topic: Topic, stream: LiveStream, signal: AbortSignal) {
    this.#parts = parts;
    this.#command = command;
    this.#topic = topic;
    this.#stream = stream;
    this.#signal = signal;
    this.#allowance = parts.pageBudget.forStream();
  }

  async *run(): AsyncGenerator<FollowMessage, void, undefined> {
    const { tip } = this.#topic;
    for (;;) {
      this.#signal.throwIfAborted();
      this.#report();
      // Read before the step is taken: a change after that is seen by the wait.
      const version = tip.version;
      const step = this.#nextStep();
      switch (step.kind) {
        case "over":
          throw overError(this.#topic);
        case "close":
          yield { kind: "closed", next: this.#position() };
          return;
        case "caught-up":
          this.#goLive();
          yield { kind: "caught-up", next: this.#position() };
          break;
        case "wait":
          if (await this.#isQuiet(version)) yield this.#heartbeat("new-records");
          break;
        case "fell-behind":
          yield this.#fallBehind();
          break;
        case "page":
          yield* this.#deliverPage();
          break;
        default:
          step satisfies never;
      }
    }
  }

  /** Gives up its place among the live. */
  leave(): void {
    if (this.#phase === "live") this.#topic.liveFollowers -= 1;
    this.#phase = "catching-up";
  }

  #nextStep(): Step {
    const { tip, tail } = this.#topic;
    const { state, nextOffset } = tip.value;
    if (state === "deleted" || state === "lost") return { kind: "over" };
    if (this.next < nextOffset) {
      const isBehind = this.#phase === "live" && this.next < tail.first;
      return { kind: isBehind ? "fell-behind" : "page" };
    }
    if (this.#phase === "catching-up") return { kind: "caught-up" };
    return { kind: state === "closed" ? "close" : "wait" };
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
        this.leave();
        return { kind: "fell-behind", lag: nextOffset - from, next: this.#position() };
      case "skip":
        this.next = nextOffset;
        return { kind: "skipped", reason: "behind", fromOffset: from, toOffset: nextOffset, next: this.#position() };
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

  /** One page: from the tail if it is there, else from the database; heartbeats while that does not answer. */
  async *#deliverPage(): AsyncGenerator<FollowMessage, void, undefined> {
    const grant = this.#allowance.take();
    try {
      const cached = this.#readTail(grant.bytes);
      if (cached !== undefined) {
        yield cached;
        this.#delivered(cached);
        return;
      }
      this.#stream.waitFor("database");
      const read = this.#readDatabase(grant.bytes);
      // Awaited below; a rejection while a heartbeat is on its way is not unhandled.
      read.catch(() => undefined);
      while (!(await this.#settlesInTime(read))) yield this.#heartbeat("database");
      const outcome = await read;
      this.#stream.waitFor("nothing");
      yield* this.#deliverOutcome(outcome, grant.bytes);
    } finally {
      grant.release();
    }
  }

  async *#deliverOutcome(outcome: PageOutcome, bytes: number): AsyncGenerator<FollowMessage, void, undefined> {
    switch (outcome.kind) {
      case "page": {
        // A live page was read for all and is in the tail now, unless the tail could not take it.
        const message = this.#readTail(bytes) ?? pageMessage(outcome.page, this.#positionAt(outcome.page.next));
        const endBytes = message.next.offset === outcome.page.next ? outcome.page.endBytes : undefined;
        yield message;
        this.#delivered(message);
        this.#nextBytes = endBytes;
        return;
      }
      case "end":
        // The head that the topic knows was ahead of this snapshot: the next look settles it.
        return;
      case "gone":
      case "beyond":
      case "trimmed": {
        const to = resumeAfter(outcome, this.#command, this.#topic, { offset: this.next });
        const from = this.next;
        this.next = to;
        this.#nextBytes = undefined;
        yield { kind: "skipped", reason: "trimmed", fromOffset: from, toOffset: to, next: this.#position() };
        return;
      }
      default:
        outcome satisfies never;
    }
  }

  #readTail(bytes: number): PageMessage | undefined {
    const message = this.#topic.tail.read(this.next, bytes, this.#topic.epoch);
    if (message !== undefined) this.#parts.metrics.pageReads.inc({ source: "tail" });
    return message;
  }

  #readDatabase(bytes: number): Promise<PageOutcome> {
    if (this.#phase === "live") return this.#parts.pages.readLive(this.#topic, this.next, this.#signal);
    const cursor = { direction: "forward", offset: this.next, bytes: this.#nextBytes } as const;
    return this.#parts.pages.readHistory({ topic: this.#topic, cursor, bytes }, this.#signal);
  }

  #delivered(message: PageMessage): void {
    this.next = message.next.offset;
    this.#nextBytes = undefined;
    this.#allowance.delivered(message.encoded.length);
  }

  /** Waits for the head to move. True when a heartbeat is due instead. */
  async #isQuiet(version: number): Promise<boolean> {
    this.#stream.waitFor("new-records");
    const outcome = await this.#topic.tip.changed(version, { signal: this.#signal, timeoutMs: this.#heartbeatMs() });
    this.#stream.waitFor("nothing");
    return outcome === "timed-out";
  }

  async #settlesInTime(read: Promise<unknown>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const due = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, this.#heartbeatMs(), false);
    });
    const settled = read.then(
      () => true,
      () => true,
    );
    try {
      return await abortable(Promise.race([settled, due]), this.#signal);
    } finally {
      clearTimeout(timer);
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
    this.#stream.lag = Math.max(0, this.#topic.tip.value.nextOffset - this.next);
  }
}
