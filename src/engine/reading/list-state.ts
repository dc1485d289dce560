/** Listing a state: pages in the order of keys, each as the state was when it was read. */

import type { Position } from "../../core/index.js";
import type { StatePath } from "../../store/index.js";
import type { LiveStream } from "../../telemetry/index.js";
import { encodeListMessage, thinPage } from "../../wire/index.js";
import type { ListStateCommand, PageMessage } from "../engine.js";
import { createSearchReach, type SearchReach } from "./search-reach.js";
import { observed, recordsWithin, requireState, type StateParts } from "./state.js";
import { selectionOf, type StateSelection } from "./state-selection.js";
import { StreamPages } from "./stream-pages.js";
import type { Topic } from "../topic.js";

/** The generator is resumed when the last page was delivered. */
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
    requireState(stored);
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

/** Some of the state, and how far it was looked at. */
interface Found {
  readonly next: Position;
  /** Views of what was read. */
  readonly runs: readonly Uint8Array[];
  readonly records: number;
  /** All keys up to this one were looked at. Undefined: there are no more. */
  readonly reached: string | undefined;
}

class Listing {
  readonly #parts: StateParts;
  readonly #topic: Topic;
  readonly #stream: LiveStream;
  readonly #signal: AbortSignal;
  readonly #pages: StreamPages;
  readonly #selection: StateSelection;
  readonly #reach: SearchReach;
  /** How what is inside the rectangle is found: chosen with the first page. */
  #path: StatePath | undefined;
  #after: string | undefined;
  #remaining: number;
  #isDone = false;
  #message: PageMessage | undefined;

  constructor(parts: StateParts, command: ListStateCommand, topic: Topic, stream: LiveStream, signal: AbortSignal) {
    this.#parts = parts;
    this.#topic = topic;
    this.#stream = stream;
    this.#signal = signal;
    this.#pages = new StreamPages(parts.pageBudget);
    this.#selection = selectionOf(command);
    this.#reach = createSearchReach(topic.meanFrameBytes, parts.lanes.kind);
    this.#after = command.afterKey === "" ? undefined : command.afterKey;
    this.#remaining = command.limit === 0 ? Number.POSITIVE_INFINITY : command.limit;
  }

  /** Reads the next page; false when there is none. */
  async advance(): Promise<boolean> {
    if (this.#isDone || this.#remaining === 0) return false;
    this.#stream.waitFor("database");
    const bytes = this.#pages.take();
    const found = this.#isPlain() ? await this.#list(bytes) : await this.#search(bytes);
    this.#stream.waitFor("nothing");
    const { next, runs, records, reached } = found;
    this.#isDone = reached === undefined;
    if (this.#isDone && records === 0) return false;
    this.#after = reached ?? this.#after;
    this.#remaining -= records;
    this.#message = { kind: "page", encoded: encodeListMessage(runs, next, reached), records, next };
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

  #isPlain(): boolean {
    const { rectangle, keep } = this.#selection;
    return rectangle === undefined && keep === undefined;
  }

  /** All that has the prefix. */
  async #list(bytes: number): Promise<Found> {
    const request = {
      topicId: this.#topic.topicId,
      prefix: this.#selection.prefix,
      unexpiredAt: this.#parts.stampClock.now(),
      after: this.#after,
      records: Math.min(recordsWithin(bytes, this.#topic), this.#remaining),
      bytes,
    };
    const read = await this.#parts.lanes.run("history", (store) => store.listState(request), this.#signal);
    const { head, page } = observed(this.#topic, read);
    const next = { epoch: this.#topic.epoch, offset: head.nextOffset };
    if (page === undefined) return { next, runs: [], records: 0, reached: undefined };
    this.#pages.taken(page.frames.length);
    return { next, runs: [page.frames], records: page.records, reached: page.lastKey };
  }

  /** What a rectangle or a filter leaves of it. */
  async #search(bytes: number): Promise<Found> {
    const { lanes } = this.#parts;
    const { prefix, rectangle, needles, keepFound } = this.#selection;
    const { topicId } = this.#topic;
    const path = (this.#path ??=
      rectangle === undefined
        ? "whole"
        : await lanes.run("history", (store) => store.choosePath(topicId, rectangle), this.#signal));
    const request = {
      topicId,
      prefix,
      unexpiredAt: this.#parts.stampClock.now(),
      order: { by: "key", after: this.#after } as const,
      rectangle,
      needles,
      path,
      rows: this.#reach.rows,
      records: recordsWithin(bytes, this.#topic),
      bytes,
    };
    const read = await lanes.run("history", (store) => store.searchState(request), this.#signal);
    const { head, page, reached, isCut } = observed(this.#topic, read);
    this.#reach.adapt({ isCut });
    const next = { epoch: this.#topic.epoch, offset: head.nextOffset };
    if (page === undefined) return { next, runs: [], records: 0, reached: reached?.key };
    this.#pages.taken(page.frames.length);
    const kept = thinPage(page.frames, keepFound ?? (() => true), this.#remaining);
    return { next, runs: kept.runs, records: kept.records, reached: reached?.key };
  }
}
