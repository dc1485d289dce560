import type { Position } from "../core/index.js";
import { flatMap, type Stream, tap } from "../streams/index.js";
import type { ReceivedRecord } from "../wire/index.js";

/** The records of one message. */
export interface RecordPage {
  /** At least one, in the order of reading. */
  readonly records: readonly ReceivedRecord[];
  /** Where to resume after all of them. */
  readonly next: Position;
}

/** Records of a topic, in order. It can be iterated once: by record, or by page. */
export interface RecordStream extends AsyncIterable<ReceivedRecord, undefined> {
  /** Whole pages instead of single records: saves bulk work a promise per record. */
  pages(): Stream<RecordPage>;
  /**
   * Where to resume after the delivered records: give it to `start: { position }`. Undefined until the server has
   * confirmed the start. Never ahead of what the loop has received.
   */
  readonly position: Position | undefined;
}

/** The place of a stream: its source sets it, the stream reports it. */
export interface Place {
  position: Position | undefined;
}

/**
 * Makes a stream of records from a stream of pages. `positionAfter` tells where to resume after a record inside a page.
 * A reader that asks for a record has received all records before it, so the place is set when a record is handed out.
 */
export function recordStream(
  pages: Stream<RecordPage>,
  place: Place,
  positionAfter: (record: ReceivedRecord, epoch: number) => Position,
): RecordStream {
  let isTaken = false;
  const take = () => {
    if (isTaken) throw new Error("Cannot iterate a record stream again: it can be iterated once, by record or by page");
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
