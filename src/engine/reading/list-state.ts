/** Lists a state: pages in the order of keys. Each page shows the state at the moment of its own read. */

import type { StateSearchRead, StoredTopic } from "../../store/index.js";
import type { LiveStream } from "../../telemetry/index.js";
import type { Topic } from "../topics/topic.js";
import { type PageSource, type ReadingParts, type ReaderStep, streamPages, type Taken } from "./page-stream.js";
import { keptOf, observed, recordsWithin, requireState, StateSearch } from "./state.js";
import { selectionOf, type SplitSelection } from "./state-selection.js";
import type { Rectangle } from "../../core/index.js";
import type { Filter } from "../../filter/index.js";
import type { PageMessage } from "../topics/page-message.js";

/** A page of a listing. */
export interface ListPage extends PageMessage {
  /** All keys up to this one were examined. Undefined: no keys are left. */
  readonly lastKey: string | undefined;
}

export interface ListStateCommand {
  readonly topic: string;
  /** Only keys that begin with this. */
  readonly keyPrefix: string;
  /** Only records inside it. */
  readonly rectangle: Rectangle | undefined;
  /** Only records that match. */
  readonly filter: Filter | undefined;
  /** Only keys above this one. Empty: from the first key on. */
  readonly afterKey: string;
  /** 0: no limit. */
  readonly limit: number;
}

export function listState(
  parts: ReadingParts,
  command: ListStateCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<ListPage, void, undefined> {
  const fresh = (topic: Topic, stored: StoredTopic): ListSource => {
    requireState(stored);
    return new ListSource(parts, command, topic);
  };
  return streamPages(parts, { topic: command.topic, stream, signal }, { fresh });
}

/** A part of the state, and the key that the search reached. */
interface Found extends Pick<StateSearchRead, "head" | "page"> {
  /** Undefined: no keys are left. */
  readonly reached: string | undefined;
}

class ListSource implements PageSource<ListPage, Found> {
  readonly #parts: ReadingParts;
  readonly #topic: Topic;
  readonly #selection: SplitSelection;
  readonly #search: StateSearch;
  #after: string | undefined;
  #remaining: number;
  #isDone = false;

  constructor(parts: ReadingParts, command: ListStateCommand, topic: Topic) {
    this.#parts = parts;
    this.#topic = topic;
    this.#selection = selectionOf(command);
    this.#search = new StateSearch(parts, topic, this.#selection);
    this.#after = command.afterKey === "" ? undefined : command.afterKey;
    this.#remaining = command.limit === 0 ? Number.POSITIVE_INFINITY : command.limit;
  }

  step(): ReaderStep<ListPage> {
    return this.#isDone || this.#remaining === 0 ? "end" : "read";
  }

  async read(bytes: number, signal: AbortSignal): Promise<Found> {
    const { rectangle, keep } = this.#selection;
    if (rectangle === undefined && keep === undefined) return this.#list(bytes, signal);
    const { head, page, reached } = await this.#search.read({ by: "key", after: this.#after }, bytes, signal);
    return { head, page, reached: reached?.key };
  }

  take({ head, page, reached }: Found): Taken<ListPage> {
    const { runs, records } = page
      ? keptOf(page, this.#selection.keepFound, this.#remaining)
      : { runs: [], records: 0 };
    const bytes = page?.frames.length ?? 0;
    this.#after = reached ?? this.#after;
    this.#remaining -= records;
    this.#isDone = reached === undefined;
    if (this.#isDone && records === 0) return { message: undefined, bytes };
    const next = { epoch: this.#topic.epoch, offset: head.nextOffset };
    return { message: { kind: "page", runs, records, next, lastKey: reached }, bytes };
  }

  /** Lists all records whose key has the prefix. */
  async #list(bytes: number, signal: AbortSignal): Promise<Found> {
    const request = {
      topicId: this.#topic.topicId,
      prefix: this.#selection.prefix,
      unexpiredAt: this.#parts.stampClock.now(),
      after: this.#after,
      records: Math.min(recordsWithin(bytes, this.#topic), this.#remaining),
      bytes,
    };
    const read = await this.#parts.lanes.run("history", (store) => store.listState(request), signal);
    const { head, page } = observed(this.#topic, read);
    return { head, page, reached: page?.lastKey };
  }
}
