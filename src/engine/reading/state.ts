/**
 * The state of keyed topics: the latest record of each key after the last commit. Get, List and Watch share this file.
 */

import { answerBytes, answerTooLarge, stateBuilding, topicNotFound, topicNotKeyed } from "../../core/index.js";
import type { Head, StatePath, StateSearchRead, StateSearchRequest, StoredTopic } from "../../store/index.js";
import { type KeepFrame, thinPage } from "../../wire/index.js";
import type { PageMessage } from "../topics/page-message.js";
import { overError, type Topic } from "../topics/topic.js";
import type { ReadingParts } from "./page-stream.js";
import { createSearchReach, type SearchReach } from "./search-reach.js";
import type { SplitSelection } from "./state-selection.js";

export interface GetStateCommand {
  readonly topic: string;
  /** At least one. */
  readonly keys: readonly string[];
}

/** The most rows of state that one statement returns. */
const pageRecordsMax = 1000;
/** The statement asks for this many times the records that fill a page by the topic's mean size. */
const recordsMargin = 1.25;

/** The latest records of some keys. Errors: those of `requireState`, and `answer-too-large`. */
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

/**
 * Refuses a topic without a state, or whose state is still being built. A state that was once complete stays complete.
 */
export function requireState({ name, head, stateBuild }: StoredTopic): void {
  if (!head.keyed) throw topicNotKeyed(name);
  if (stateBuild !== undefined) throw stateBuilding(name, stateBuild);
}

/** Returns what was read, after the topic took over its head. */
export function observed<Read extends { readonly head: Head }>(topic: Topic, read: Read | undefined): Read {
  const nextBefore = topic.tip.value.nextOffset;
  if (read === undefined) topic.markDeleted();
  // Not compared with the tip, which may have moved while the statement ran. The poll detects a database that went back
  // in time.
  else topic.observe(read.head, Math.min(nextBefore, read.head.nextOffset));
  if (read === undefined) throw topicNotFound(topic.name);
  if (topic.isOver) throw overError(topic);
  return read;
}

/** How many records to read for a page of some bytes. A record that does not fit was read in vain. */
export function recordsWithin(bytes: number, { meanFrameBytes }: Topic): number {
  return Math.min(pageRecordsMax, 1 + Math.ceil((bytes / meanFrameBytes) * recordsMargin));
}

/** The records of a page of state that its reader gets, up to a limit. */
export function keptOf(
  { frames, records }: NonNullable<StateSearchRead["page"]>,
  keep: KeepFrame | undefined,
  recordsMax = Infinity,
): Pick<PageMessage, "runs" | "records"> {
  if (keep === undefined && records <= recordsMax) return { runs: [frames], records };
  return thinPage(frames, keep ?? (() => true), recordsMax);
}

/** Finds the part of a state that a rectangle or a filter selects, page by page. */
export class StateSearch {
  readonly #parts: ReadingParts;
  readonly #topic: Topic;
  readonly #selection: SplitSelection;
  readonly #reach: SearchReach;
  /** Chosen by the store with the first page. */
  #path: StatePath | undefined;

  constructor(parts: ReadingParts, topic: Topic, selection: SplitSelection) {
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
