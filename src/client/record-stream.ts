import type { Position } from "../core/index.js";
import { flatMap, type Stream, tap } from "../streams/index.js";
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
  pages(): Stream<RecordPage>;
  /**
   * Where to resume after what was delivered: give it to `start: { position }`. Undefined until the server has said
   * where this stream starts. Never ahead of what the loop has got.
   */
  readonly position: Position | undefined;
}

/** The place of a stream, shared by the source that learns it and the stream that tells it. */
export interface Place {
  position: Position | undefined;
}

/**
 * Makes a stream of pages into one of records. `positionAfter` tells where to resume after a record inside a page. Whoever
 * asks for a record or a page has been given all before it, so the place is that of the one being given.
 */
export function recordStream(
  pages: Stream<RecordPage>,
  place: Place,
  positionAfter: (record: ReceivedRecord, epoch: number) => Position,
): RecordStream {
  let isTaken = false;
  const take = () => {
    if (isTaken) throw new Error("Cannot iterate a record stream again: it is iterated once, by record or by page");
    isTaken = true;
    return pages;
  };

  function* recordsOf({ records, next }: RecordPage): Generator<ReceivedRecord, void> {
    const last = records.length - 1;
    for (const [index, record] of records.entries()) {
      place.position = index === last ? next : positionAfter(record, next.epoch);
      yield record;
    }
  }

  return {
    get position() {
      return place.position;
    },
    pages: () =>
      tap(take(), ({ next }) => {
        place.position = next;
      }),
    [Symbol.asyncIterator]: () => flatMap(take(), recordsOf),
  };
}
