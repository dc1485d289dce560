import type { Position } from "../core/index.js";
import { pullIterator, type PullSource } from "../streams/index.js";
import type { ReceivedRecord } from "../wire/index.js";

/** A run of records as it came in one message. */
export interface RecordPage {
  /** At least one, in the order of reading. */
  readonly records: readonly ReceivedRecord[];
  /** Where to resume after all of them. */
  readonly next: Position;
}

/** Records of a topic, one after the other. It is iterated once: either itself, or its pages. */
export interface RecordStream extends AsyncIterable<ReceivedRecord, undefined> {
  /** Whole pages instead of single records: for bulk work, which has no time for a promise a record. */
  pages(): AsyncIterableIterator<RecordPage, undefined>;
  /**
   * Where to resume after what was delivered: give it to `from: { position }`. Undefined until the server has said
   * where this stream starts. Never ahead of what the loop has got.
   */
  readonly position: Position | undefined;
}

/** The place of a stream, shared by the source that learns it and the stream that tells it. */
export interface Place {
  position: Position | undefined;
}

/** Makes a stream of a source of pages. `positionAfter` tells where to resume after a record inside a page. */
export function recordStream(
  source: PullSource<RecordPage>,
  place: Place,
  positionAfter: (record: ReceivedRecord, epoch: number) => Position,
): RecordStream {
  let isTaken = false;
  const take = () => {
    if (isTaken) throw new Error("Cannot iterate a record stream again: it is iterated once, by record or by page");
    isTaken = true;
    return pullIterator(source);
  };
  return {
    get position() {
      return place.position;
    },
    pages: () => placedPages(take(), place),
    [Symbol.asyncIterator]: () => new RecordIterator(take(), place, positionAfter),
  };
}

function placedPages(pages: AsyncIterableIterator<RecordPage, undefined>, place: Place): typeof pages {
  const placed: typeof pages = {
    async next() {
      const result = await pages.next();
      if (result.done !== true) place.position = result.value.next;
      return result;
    },
    return: async () => {
      await pages.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => placed,
  };
  return placed;
}

/** The records of pages. Written by hand: a generator would take three promises a record, this takes one. */
class RecordIterator implements AsyncIterableIterator<ReceivedRecord, undefined> {
  readonly #pages: AsyncIterableIterator<RecordPage, undefined>;
  readonly #place: Place;
  readonly #positionAfter: (record: ReceivedRecord, epoch: number) => Position;
  #page: RecordPage | undefined;
  #index = 0;
  #pending = 0;
  #latest: Promise<unknown> = Promise.resolve();

  constructor(
    pages: AsyncIterableIterator<RecordPage, undefined>,
    place: Place,
    positionAfter: (record: ReceivedRecord, epoch: number) => Position,
  ) {
    this.#pages = pages;
    this.#place = place;
    this.#positionAfter = positionAfter;
  }

  next(): Promise<IteratorResult<ReceivedRecord, undefined>> {
    if (this.#pending === 0) {
      const record = this.#take();
      if (record !== undefined) return Promise.resolve({ done: false, value: record });
    }
    // Calls that overlap are served in order.
    const step = () => this.#step();
    const result = this.#pending === 0 ? step() : this.#latest.then(step, step);
    this.#pending += 1;
    this.#latest = result;
    return result;
  }

  async return(): Promise<IteratorResult<ReceivedRecord, undefined>> {
    this.#page = undefined;
    await this.#pages.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #step(): Promise<IteratorResult<ReceivedRecord, undefined>> {
    try {
      for (let record = this.#take(); ; record = this.#take()) {
        if (record !== undefined) return { done: false, value: record };
        const result = await this.#pages.next();
        if (result.done === true) return { done: true, value: undefined };
        this.#page = result.value;
        this.#index = 0;
      }
    } finally {
      this.#pending -= 1;
    }
  }

  #take(): ReceivedRecord | undefined {
    const page = this.#page;
    if (page === undefined) return undefined;
    const record = page.records[this.#index];
    if (record === undefined) {
      this.#page = undefined;
      return undefined;
    }
    this.#index += 1;
    const isLast = this.#index === page.records.length;
    this.#place.position = isLast ? page.next : this.#positionAfter(record, page.next.epoch);
    return record;
  }
}
