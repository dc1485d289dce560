/**
 * The state of keyed topics: the latest record of each key, as the commits left it. All of it is read by pages from the
 * database, where it changes in the transaction of the append.
 *
 * A watch walks the state in the order of offsets, from one cursor. A key that changes while it walks comes again further
 * on, at its new offset, so none is missed; and one that changes ten times while a slow watcher is elsewhere comes once:
 * the query itself leaves out what is not the latest any more. There is no queue, and nothing to overflow.
 *
 *   snapshot ──its cursor reached the head that its page saw──▶ live
 *       any ──topic closed and all given──▶ the end
 */

import { epochMismatch, type Limits, offsetOutOfRange, topicNotFound, topicNotKeyed } from "../core/index.js";
import type { Head, StatePageRead } from "../store/index.js";
import type { LiveStream } from "../telemetry/index.js";
import { encodePageMessage } from "../wire/index.js";
import { overError } from "./appender.js";
import type { DatabaseLanes } from "./database-lanes.js";
import type { GetStateCommand, ListStateCommand, PageMessage, WatchStateCommand, WatchMessage } from "./engine.js";
import type { PageAllowance, PageBudget, PageGrant } from "./page-allowance.js";
import type { Topic } from "./topic.js";
import type { TopicCache } from "./topic-cache.js";

export interface StateParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly pageBudget: PageBudget;
  readonly limits: Limits;
  /** In [0, 1): spreads heartbeats. */
  readonly random: () => number;
}

/** Rows of state that one statement looks at, at most. */
const pageRecordsMax = 1000;
/** How many more are asked for than records of the topic's mean size would fill a page. */
const recordsMargin = 1.25;

/** The latest records of some keys. */
export async function getState(parts: StateParts, command: GetStateCommand, signal: AbortSignal): Promise<PageMessage> {
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  try {
    requireKeyed(lease.topic, stored.head);
    const { topicId } = lease.topic;
    const read = await parts.lanes.run("live", (store) => store.readState(topicId, command.keys), signal);
    return pageOf(lease.topic, observed(lease.topic, read));
  } finally {
    lease.release();
  }
}

/** The state in the order of keys. The generator is resumed when the last page was delivered. */
export async function* listState(
  parts: StateParts,
  command: ListStateCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<PageMessage, void, undefined> {
  stream.waitFor("database");
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  const listing = new Listing(parts, command, lease.topic, stream, signal);
  try {
    requireKeyed(lease.topic, stored.head);
    while (await listing.advance()) {
      // Not kept here: a message held by a suspended generator costs every stalled reader its size (invariant 4).
      yield listing.takeMessage();
      listing.delivered();
    }
  } finally {
    listing.leave();
    lease.release();
  }
}

/** The state, and then its changes. The generator is resumed when the last message was delivered. */
export async function* watchState(
  parts: StateParts,
  command: WatchStateCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<WatchMessage, void, undefined> {
  stream.waitFor("database");
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  const { topic } = lease;
  // Counted among the followers: the head poll and the notifications serve those.
  topic.followers += 1;
  let watcher: Watcher | undefined;
  try {
    requireKeyed(topic, stored.head);
    watcher = new Watcher(parts, command, topic, stored.head, stream, signal);
    while (!watcher.isDone) {
      yield await watcher.takeMessage();
      watcher.delivered();
    }
  } finally {
    watcher?.leave();
    topic.followers -= 1;
    lease.release();
  }
}

function requireKeyed(topic: Topic, head: Head): void {
  if (!head.keyed) throw topicNotKeyed(topic.name);
}

/** What was read, once the topic knows the head beside it. */
function observed(topic: Topic, read: StatePageRead | undefined): StatePageRead {
  const nextBefore = topic.tip.value.nextOffset;
  if (read === undefined) topic.markDeleted();
  // Not against the tip: it may have moved while the statement ran, and the poll tells a database that went back.
  else topic.observe(read.head, Math.min(nextBefore, read.head.nextOffset));
  if (read === undefined) throw topicNotFound(topic.name);
  if (topic.isOver) throw overError(topic);
  return read;
}

function pageOf(topic: Topic, { head, page }: StatePageRead): PageMessage {
  const next = { epoch: topic.epoch, offset: head.nextOffset };
  return {
    kind: "page",
    encoded: encodePageMessage(page === undefined ? [] : [page.frames], next),
    records: page?.records ?? 0,
    next,
  };
}

/** How many records a page of so many bytes may have: what is read and does not fit is read for nothing. */
function recordsWithin(bytes: number, { meanFrameBytes }: Topic): number {
  return Math.min(pageRecordsMax, 1 + Math.ceil((bytes / meanFrameBytes) * recordsMargin));
}

/** The room for the pages of one stream. */
class Pages {
  readonly #allowance: PageAllowance;
  #grant: PageGrant | undefined;
  #bytes = 0;

  constructor(budget: PageBudget) {
    this.#allowance = budget.forStream();
  }

  /** How many bytes the next page may have. */
  take(): number {
    this.#grant ??= this.#allowance.take();
    return this.#grant.bytes;
  }

  taken(bytes: number): void {
    this.#bytes = bytes;
  }

  delivered(): void {
    this.#allowance.delivered(this.#bytes);
    this.release();
  }

  release(): void {
    this.#bytes = 0;
    this.#grant?.release();
    this.#grant = undefined;
  }
}

class Listing {
  readonly #parts: StateParts;
  readonly #command: ListStateCommand;
  readonly #topic: Topic;
  readonly #stream: LiveStream;
  readonly #signal: AbortSignal;
  readonly #pages: Pages;
  #after: string | undefined;
  #remaining: number;
  #message: PageMessage | undefined;

  constructor(parts: StateParts, command: ListStateCommand, topic: Topic, stream: LiveStream, signal: AbortSignal) {
    this.#parts = parts;
    this.#command = command;
    this.#topic = topic;
    this.#stream = stream;
    this.#signal = signal;
    this.#pages = new Pages(parts.pageBudget);
    this.#after = command.afterKey === "" ? undefined : command.afterKey;
    this.#remaining = command.limit === 0 ? Number.POSITIVE_INFINITY : command.limit;
  }

  /** Reads the next page; false when there is none. */
  async advance(): Promise<boolean> {
    if (this.#remaining === 0) return false;
    this.#stream.waitFor("database");
    const bytes = this.#pages.take();
    const request = {
      topicId: this.#topic.topicId,
      prefix: this.#command.keyPrefix,
      after: this.#after,
      records: Math.min(recordsWithin(bytes, this.#topic), this.#remaining),
      bytes,
    };
    const read = observed(
      this.#topic,
      await this.#parts.lanes.run("history", (store) => store.listState(request), this.#signal),
    );
    this.#stream.waitFor("nothing");
    if (read.page === undefined) return false;
    this.#after = read.page.lastKey;
    this.#remaining -= read.page.records;
    this.#message = pageOf(this.#topic, read);
    this.#pages.taken(read.page.frames.length);
    return true;
  }

  takeMessage(): PageMessage {
    const message = this.#message as PageMessage;
    this.#message = undefined;
    return message;
  }

  delivered(): void {
    this.#pages.delivered();
  }

  leave(): void {
    this.#pages.release();
  }
}

class Watcher {
  isDone = false;
  readonly #parts: StateParts;
  readonly #command: WatchStateCommand;
  readonly #topic: Topic;
  readonly #stream: LiveStream;
  readonly #signal: AbortSignal;
  readonly #pages: Pages;
  /** Tombstones below it remove what this watcher was never given. */
  readonly #tombstonesFrom: number;
  #phase: "snapshot" | "live" = "snapshot";
  /** The first offset that was not given, and, while a message is under way, the one after that. */
  #cursor: number;
  #cursorAfter: number;

  constructor(
    parts: StateParts,
    command: WatchStateCommand,
    topic: Topic,
    head: Head,
    stream: LiveStream,
    signal: AbortSignal,
  ) {
    const { from } = command;
    if (from !== undefined && from.epoch !== 0 && from.epoch !== topic.epoch) {
      throw epochMismatch(topic.name, from.epoch, topic.epoch);
    }
    if (from !== undefined && from.offset > head.nextOffset) throw offsetOutOfRange(topic.name, from.offset, head);
    this.#parts = parts;
    this.#command = command;
    this.#topic = topic;
    this.#stream = stream;
    this.#signal = signal;
    this.#pages = new Pages(parts.pageBudget);
    this.#cursor = from?.offset ?? 0;
    this.#cursorAfter = this.#cursor;
    this.#tombstonesFrom = from === undefined ? head.nextOffset : 0;
  }

  /** The next message, when there is one. Throws when the topic is over, or the signal aborts. */
  async takeMessage(): Promise<WatchMessage> {
    const { tip } = this.#topic;
    for (;;) {
      this.#signal.throwIfAborted();
      if (this.#topic.isOver) throw overError(this.#topic);
      this.#report();
      const { version } = tip;
      if (this.#phase === "live" && this.#cursor >= tip.value.nextOffset) {
        if (tip.value.state === "closed") {
          this.isDone = true;
          return { kind: "closed", next: this.#position(this.#cursor) };
        }
        if (await this.#isQuiet(version)) return { kind: "heartbeat", next: this.#position(this.#cursor) };
        continue;
      }
      const message = await this.#readPage();
      if (message !== undefined) return message;
    }
  }

  /** The last message was delivered (invariant 8). */
  delivered(): void {
    this.#cursor = this.#cursorAfter;
    this.#pages.delivered();
  }

  leave(): void {
    this.#pages.release();
  }

  async #readPage(): Promise<WatchMessage | undefined> {
    this.#stream.waitFor("database");
    const bytes = this.#pages.take();
    const request = {
      topicId: this.#topic.topicId,
      prefix: this.#command.keyPrefix,
      from: this.#cursor,
      tombstonesFrom: this.#tombstonesFrom,
      records: recordsWithin(bytes, this.#topic),
      bytes,
    };
    const lane = this.#phase === "live" ? "live" : "history";
    const { head, page } = observed(
      this.#topic,
      await this.#parts.lanes.run(lane, (store) => store.readStateChanges(request), this.#signal),
    );
    this.#stream.waitFor("nothing");
    if (page !== undefined) {
      this.#cursorAfter = page.lastOffset + 1;
      this.#pages.taken(page.frames.length);
      const next = this.#position(this.#cursorAfter);
      return { kind: "page", encoded: encodePageMessage([page.frames], next), records: page.records, next };
    }
    // Nothing of it is left below the head that this very statement saw.
    this.#cursor = Math.max(this.#cursor, head.nextOffset);
    this.#cursorAfter = this.#cursor;
    this.#pages.release();
    if (this.#phase === "live") return undefined;
    this.#phase = "live";
    return { kind: "snapshot-end", next: this.#position(this.#cursor) };
  }

  /** Waits for the head to move. True when a heartbeat is due instead. */
  async #isQuiet(version: number): Promise<boolean> {
    const { heartbeatMinMs, heartbeatMaxMs } = this.#parts.limits;
    const timeoutMs = heartbeatMinMs + this.#parts.random() * (heartbeatMaxMs - heartbeatMinMs);
    this.#stream.waitFor("new-records");
    const outcome = await this.#topic.tip.changed(version, { signal: this.#signal, timeoutMs });
    this.#stream.waitFor("nothing");
    return outcome === "timed-out";
  }

  #position(offset: number) {
    return { epoch: this.#topic.epoch, offset };
  }

  #report(): void {
    this.#stream.nextOffset = this.#cursor;
    this.#stream.lag = Math.max(0, this.#topic.tip.value.nextOffset - this.#cursor);
  }
}
