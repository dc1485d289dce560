/**
 * Watching a state: what it is, and then its changes, from one cursor over offsets. A key that changes while the watch
 * walks comes again further on, at its new offset, so none is missed; and one that changes ten times while a slow watcher
 * is elsewhere comes once: the query itself leaves out what is not the latest any more. There is no queue, and nothing to
 * overflow.
 *
 *   snapshot ──its cursor reached the head of the start──▶ changes ──and the head that was seen then──▶ live
 *       any ──topic closed and all given──▶ the end
 *   changes or live ──tombstones that it has not passed were purged──▶ told to start over, and snapshot
 *
 * A topic may change faster than a watcher reads, so that it never reaches the head. It therefore walks twice at most before
 * it is live: to the head of the start; then to the head as it is by then, for keys that changed during the first walk.
 *
 * The snapshot holds the wanted records alone. Later, a changed key that is not wanted is told as `left`: the watcher may
 * have it from before.
 */

import { epochMismatch, offsetOutOfRange } from "../core/index.js";
import type { Head, StatePath } from "../store/index.js";
import type { LiveStream } from "../telemetry/index.js";
import {
  encodePageMessage,
  encodeWatchMessage,
  type KeepFrame,
  StoredRecord,
  thinPage,
  unexpiredAt,
} from "../wire/index.js";
import { overError } from "./appender.js";
import type { PageMessage, WatchMessage, WatchStateCommand } from "./engine.js";
import { createSearchReach, type SearchReach } from "./search-reach.js";
import { observed, recordsWithin, requireState, type StateParts } from "./state.js";
import { selectionOf, type StateSelection } from "./state-selection.js";
import { StreamPages } from "./stream-pages.js";
import type { Topic } from "./topic.js";

/** The generator is resumed when the last message was delivered. */
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
    requireState(stored);
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

class Watcher {
  isDone = false;
  readonly #parts: StateParts;
  readonly #topic: Topic;
  readonly #stream: LiveStream;
  readonly #signal: AbortSignal;
  readonly #pages: StreamPages;
  readonly #selection: StateSelection;
  /** Tombstones below it remove what this watcher was never given; all are, for one that wants none. */
  #tombstonesFrom: number;
  readonly #withoutTombstones: boolean;
  #phase: "snapshot" | "changes" | "live";
  /** The snapshot is what stands below this offset. */
  #snapshotUntil: number;
  /** The end of the second walk, known once the first is through. */
  #changesUntil: number | undefined;
  readonly #reach: SearchReach;
  /** How the snapshot finds what is inside the rectangle: chosen with its first page. */
  #path: StatePath | undefined;
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
    const { start } = command;
    if (start !== undefined && start.epoch !== 0 && start.epoch !== topic.epoch) {
      throw epochMismatch(topic.name, start.epoch, topic.epoch);
    }
    if (start !== undefined && start.offset > head.nextOffset) throw offsetOutOfRange(topic.name, start.offset, head);
    this.#parts = parts;
    this.#topic = topic;
    this.#stream = stream;
    stream.measureLag(() => Math.max(0, topic.tip.value.nextOffset - stream.nextOffset));
    this.#signal = signal;
    this.#pages = new StreamPages(parts.pageBudget);
    this.#selection = selectionOf(command);
    this.#reach = createSearchReach(topic.meanFrameBytes, parts.lanes.kind);
    this.#withoutTombstones = command.withoutTombstones;
    this.#snapshotUntil = head.nextOffset;
    this.#phase = start === undefined && !command.changesOnly ? "snapshot" : "changes";
    this.#cursor = start?.offset ?? (command.changesOnly ? head.nextOffset : 0);
    this.#cursorAfter = this.#cursor;
    const needsTombstonesFrom = start === undefined ? head.nextOffset : 0;
    this.#tombstonesFrom = command.withoutTombstones ? Number.MAX_SAFE_INTEGER : needsTombstonesFrom;
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
      if (this.#phase === "changes" && this.#cursor >= (this.#changesUntil ?? Infinity)) return this.#goLive();
      this.#stream.waitFor("database");
      const bytes = this.#pages.take();
      const message = this.#phase === "snapshot" ? await this.#readSnapshot(bytes) : await this.#readChanges(bytes);
      this.#stream.waitFor("nothing");
      if (message !== undefined) return message;
      this.#pages.release();
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

  /** A page of what stands below the head of the start; undefined when that is through, or a page had nothing. */
  async #readSnapshot(bytes: number): Promise<WatchMessage | undefined> {
    const { lanes } = this.#parts;
    const { prefix, rectangle, needles, keepFound, keep } = this.#selection;
    if (rectangle === undefined && keep === undefined) {
      // Everything is wanted: the changes since the beginning are the snapshot.
      this.#phase = "changes";
      return undefined;
    }
    const { topicId } = this.#topic;
    const path = (this.#path ??=
      rectangle === undefined
        ? "whole"
        : await lanes.run("history", (store) => store.choosePath(topicId, rectangle), this.#signal));
    const request = {
      topicId,
      prefix,
      unexpiredAt: this.#parts.stampClock.now(),
      order: { by: "offset", from: this.#cursor, until: this.#snapshotUntil } as const,
      rectangle,
      needles,
      path,
      rows: this.#reach.rows,
      records: recordsWithin(bytes, this.#topic),
      bytes,
    };
    const read = await lanes.run("history", (store) => store.searchState(request), this.#signal);
    const { page, reached, isCut } = observed(this.#topic, read);
    this.#reach.adapt({ isCut });
    if (reached === undefined) this.#phase = "changes";
    this.#moveTo(reached === undefined ? this.#snapshotUntil : reached.offset + 1);
    const kept = page && thinPage(page.frames, keepFound ?? (() => true));
    if (page === undefined || kept === undefined || kept.records === 0) {
      if (this.#phase === "snapshot") return this.#progress();
      this.#cursor = this.#cursorAfter;
      return undefined;
    }
    this.#pages.taken(page.frames.length);
    const next = this.#position(this.#cursorAfter);
    return { kind: "page", encoded: encodePageMessage(kept.runs, next), records: kept.records, next };
  }

  /** A page of what has changed since the cursor; snapshot-end when that is through for the first time. */
  async #readChanges(bytes: number): Promise<WatchMessage | undefined> {
    const nowMicros = this.#parts.stampClock.now();
    const request = {
      topicId: this.#topic.topicId,
      prefix: this.#selection.prefix,
      unexpiredAt: nowMicros,
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
    if (this.#cursor >= this.#snapshotUntil) this.#changesUntil ??= head.nextOffset;
    // From here on it lives on tombstones, and of those that it has not passed some were purged.
    if (head.tombstonesFrom > Math.max(this.#cursor, this.#tombstonesFrom)) return this.#startOver(head);
    if (page !== undefined) {
      this.#moveTo(page.lastOffset + 1);
      if (page.records === 0) return this.#nothingWanted();
      return this.#messageOf(page.frames, page.records, nowMicros);
    }
    // Nothing of it is left below the head that this very statement saw.
    this.#moveTo(Math.max(this.#cursor, head.nextOffset));
    this.#cursor = this.#cursorAfter;
    return this.#phase === "live" ? undefined : this.#goLive();
  }

  #goLive(): WatchMessage {
    this.#phase = "live";
    return { kind: "snapshot-end", next: this.#position(this.#cursor) };
  }

  /**
   * Begins anew, with the state as it stands. Whoever resumes from this message's position is told to start over again,
   * since the tombstones from the beginning on are not all there.
   */
  #startOver(head: Head): WatchMessage {
    this.#phase = "snapshot";
    this.#path = undefined;
    this.#changesUntil = undefined;
    this.#snapshotUntil = head.nextOffset;
    this.#tombstonesFrom = head.nextOffset;
    this.#moveTo(0);
    return { kind: "reset", next: this.#position(0) };
  }

  #messageOf(frames: Uint8Array, records: number, nowMicros: number): WatchMessage | undefined {
    const next = this.#position(this.#cursorAfter);
    this.#pages.taken(frames.length);
    const keep = this.#keepAt(nowMicros);
    if (keep === undefined) return { kind: "page", encoded: encodePageMessage([frames], next), records, next };
    const left: string[] = [];
    const kept = thinPage(frames, keepOrNote(keep, left));
    if (kept.records > 0 || (left.length > 0 && !this.#withoutTombstones)) {
      const encoded = encodeWatchMessage(kept.runs, next, this.#withoutTombstones ? [] : left);
      return { kind: "page", encoded, records: kept.records, next };
    }
    return this.#progress();
  }

  /** What is wanted, and has not expired: what took the place of a record and then expired, removes that too. */
  #keepAt(nowMicros: number): KeepFrame | undefined {
    const { keep } = this.#selection;
    if (!this.#topic.isExpiring) return keep;
    const isUnexpired = unexpiredAt(nowMicros);
    return (bytes, start, end) => isUnexpired(bytes, start, end) && (keep?.(bytes, start, end) ?? true);
  }

  /** A watcher that catches up is told its position with every page; a live one need not hear of every change. */
  #nothingWanted(): WatchMessage | undefined {
    if (this.#phase !== "live") return this.#progress();
    this.#cursor = this.#cursorAfter;
    return undefined;
  }

  /** Tells how far it is, where there is nothing else to tell. */
  #progress(): PageMessage {
    const next = this.#position(this.#cursorAfter);
    return { kind: "page", encoded: encodePageMessage([], next), records: 0, next };
  }

  #moveTo(offset: number): void {
    this.#cursorAfter = offset;
  }

  /** Waits for the head to move. True when a heartbeat is due instead. */
  async #isQuiet(version: number): Promise<boolean> {
    const { heartbeatMinMs, heartbeatMaxMs } = this.#parts.limits;
    const timeoutMs = heartbeatMinMs + this.#parts.random() * (heartbeatMaxMs - heartbeatMinMs);
    this.#stream.waitFor("new-records");
    const outcome = await this.#topic.tip.changed(version, {
      signal: this.#signal,
      timeoutMs,
      timers: this.#parts.clock,
    });
    this.#stream.waitFor("nothing");
    return outcome === "timed-out";
  }

  #position(offset: number) {
    return { epoch: this.#topic.epoch, offset };
  }

  #report(): void {
    this.#stream.nextOffset = this.#cursor;
  }
}

/** Keeps what is wanted and what removes a key, and notes the keys of the rest. */
function keepOrNote(keep: KeepFrame, left: string[]): KeepFrame {
  const record = new StoredRecord();
  return (bytes, start, end) => {
    const { key, isTombstone } = record.walk(bytes, start, end);
    if (isTombstone || keep(bytes, start, end)) return true;
    left.push(key);
    return false;
  };
}
