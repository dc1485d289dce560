/** The state of keyed topics: the latest record of each key, as the commits left it. What Get, List and Watch share. */

import { answerBytes, answerTooLarge, stateBuilding, topicNotFound, topicNotKeyed } from "../../core/index.js";
import type { Head, StatePath, StateSearchRead, StateSearchRequest, StoredTopic } from "../../store/index.js";
import { type KeepFrame, thinPage } from "../../wire/index.js";
import { overError } from "../appender.js";
import type { GetStateCommand, PageMessage } from "../engine.js";
import type { Topic } from "../topic.js";
import type { ReadingParts } from "./page-stream.js";
import { createSearchReach, type SearchReach } from "./search-reach.js";
import type { StateSelection } from "./state-selection.js";

/** Rows of state that one statement gives, at most. */
const pageRecordsMax = 1000;
/** How many more are asked for than records of the topic's mean size would fill a page. */
const recordsMargin = 1.25;

/** The latest records of some keys. Errors: those of a state, and `answer-too-large`. */
export async function getState(
  parts: ReadingParts,
  command: GetStateCommand,
  signal: AbortSignal,
): Promise<PageMessage> {
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  try {
    requireState(stored);
    const { topicId } = lease.topic;
    const unexpiredAt = parts.stampClock.now();
    const read = await parts.lanes.run(
      "live",
      (store) => store.readState({ topicId, keys: command.keys, bytes: answerBytes, unexpiredAt }),
      signal,
    );
    const { head, records, bytes, frames } = observed(lease.topic, read);
    if (frames === undefined) {
      const what = `The latest records of the keys have ${bytes} bytes together`;
      throw answerTooLarge(what, `ask for fewer of these ${command.keys.length} keys at once, or use List or Watch`);
    }
    const next = { epoch: lease.topic.epoch, offset: head.nextOffset };
    return { kind: "page", runs: records === 0 ? [] : [frames], records, next };
  } finally {
    lease.release();
  }
}

/** Refuses a topic that keeps no state, or whose state is not whole. One that was whole stays so. */
export function requireState({ name, head, stateBuild }: StoredTopic): void {
  if (!head.keyed) throw topicNotKeyed(name);
  if (stateBuild !== undefined) throw stateBuilding(name, stateBuild);
}

/** What was read, once the topic knows the head beside it. */
export function observed<Read extends { readonly head: Head }>(topic: Topic, read: Read | undefined): Read {
  const nextBefore = topic.tip.value.nextOffset;
  if (read === undefined) topic.markDeleted();
  // Not against the tip: it may have moved while the statement ran, and the poll tells a database that went back.
  else topic.observe(read.head, Math.min(nextBefore, read.head.nextOffset));
  if (read === undefined) throw topicNotFound(topic.name);
  if (topic.isOver) throw overError(topic);
  return read;
}

/** How many records a page of so many bytes may have: what is read and does not fit is read for nothing. */
export function recordsWithin(bytes: number, { meanFrameBytes }: Topic): number {
  return Math.min(pageRecordsMax, 1 + Math.ceil((bytes / meanFrameBytes) * recordsMargin));
}

/** What is left of a page of state for its reader, up to so many records. */
export function keptOf(
  { frames, records }: NonNullable<StateSearchRead["page"]>,
  keep: KeepFrame | undefined,
  recordsMax = Infinity,
): Pick<PageMessage, "runs" | "records"> {
  if (keep === undefined && records <= recordsMax) return { runs: [frames], records };
  return thinPage(frames, keep ?? (() => true), recordsMax);
}

/** Finds what a rectangle or a filter leaves of a state, page by page. */
export class StateSearch {
  readonly #parts: ReadingParts;
  readonly #topic: Topic;
  readonly #selection: StateSelection;
  readonly #reach: SearchReach;
  /** Chosen by the database with the first page. */
  #path: StatePath | undefined;

  constructor(parts: ReadingParts, topic: Topic, selection: StateSelection) {
    this.#parts = parts;
    this.#topic = topic;
    this.#selection = selection;
    this.#reach = createSearchReach(topic.meanFrameBytes, parts.lanes.searchBytes);
  }

  async read(order: StateSearchRequest["order"], bytes: number, signal: AbortSignal): Promise<StateSearchRead> {
    const { lanes, stampClock } = this.#parts;
    const { prefix, rectangle, needles } = this.#selection;
    const { topicId } = this.#topic;
    const request = {
      topicId,
      prefix,
      unexpiredAt: stampClock.now(),
      order,
      rectangle,
      needles,
      path: this.#path,
      rows: this.#reach.rows,
      records: recordsWithin(bytes, this.#topic),
      bytes,
    };
    const read = observed(this.#topic, await lanes.run("history", (store) => store.searchState(request), signal));
    this.#path = read.path;
    this.#reach.adapt(read);
    return read;
  }
}
