/** Readers that compare every answer with the topic's log. */

import type { Direction } from "../../src/core/index.js";
import type { Head, Store } from "../../src/store/index.js";
import { oneOf, type Random, wholeNumberBetween } from "../support/soak.js";
import type { RaceLog } from "./race-log.js";
import { splitFrames } from "./topic-writes.js";

/** A reader of any of the stores. */
export interface RaceReader {
  readonly stores: readonly [Store, Store];
  readonly log: RaceLog;
  readonly random: Random;
}

const pageBytes = [1, 300, 3000, 100_000] as const;

function headRead(log: RaceLog, head: Head | undefined, mark: ReturnType<RaceLog["mark"]>): Head {
  if (head === undefined) throw new Error(`Topic ${log.topicId} is gone`);
  log.sawHead(head, mark);
  return head;
}

export async function readHead({ stores, log, random }: RaceReader): Promise<Head> {
  const mark = log.mark();
  return headRead(log, (await oneOf(random, stores).readView(log.topicId, []))?.head, mark);
}

/** Reads from one end of the log to the other, page by page. Returns the number of pages. */
export async function readWhole(reader: RaceReader, direction: Direction): Promise<number> {
  const { stores, log, random } = reader;
  const isForward = direction === "forward";
  let from = isForward ? 0 : (await readHead(reader)).nextOffset;
  let fromBytes: number | undefined;
  for (let pages = 0; ; pages++) {
    const mark = log.mark();
    const records = wholeNumberBetween(random, 1, 40);
    const bytes = oneOf(random, pageBytes);
    const read = await oneOf(random, stores).readPage({
      topicId: log.topicId,
      direction,
      from,
      records,
      bytes,
      ...(fromBytes !== undefined && random() < 0.5 && { fromBytes }),
    });
    const head = headRead(log, read?.head, mark);
    const page = read?.page;
    if (page === undefined) {
      if (isForward && from < head.earliestOffset) {
        from = head.earliestOffset;
        fromBytes = undefined;
        continue;
      }
      if (from === (isForward ? head.nextOffset : head.earliestOffset) || (!isForward && from < head.earliestOffset))
        return pages;
      throw new Error(`Topic ${log.topicId}: there is a hole ${isForward ? "at" : "below"} ${from}`);
    }
    const frames = splitFrames(page.frames);
    const isWhole = page.next - page.first === frames.length && frames.length <= records;
    if (!isWhole || (isForward ? page.first : page.next) !== from || page.first < head.earliestOffset) {
      throw new Error(`Topic ${log.topicId}: the page ${direction} of ${from} is ${page.first} to ${page.next}`);
    }
    log.sawTotal(page.next, page.endBytes);
    for (const [index, frame] of frames.entries()) log.sawFrameAt(isForward ? from + index : from - 1 - index, frame);
    fromBytes = isForward ? page.endBytes : page.endBytes - page.frames.length;
    from = isForward ? page.next : page.first;
  }
}

/** Searches the whole log for one writer's records. Returns the number of steps. */
export async function searchWhole(reader: RaceReader, direction: Direction, writer: string): Promise<number> {
  const { stores, log, random } = reader;
  const isForward = direction === "forward";
  const start = await readHead(reader);
  let from = isForward ? start.earliestOffset : start.nextOffset;
  for (let steps = 0; ; steps++) {
    const mark = log.mark();
    const read = await oneOf(random, stores).searchPage({
      topicId: log.topicId,
      direction,
      from,
      rows: wholeNumberBetween(random, 1, 60),
      walkBytes: oneOf(random, pageBytes),
      needles: [Buffer.from(` ${writer} `)],
      density: oneOf(random, [0, 1]),
      records: wholeNumberBetween(random, 1, 10),
      bytes: oneOf(random, pageBytes),
    });
    const head = headRead(log, read?.head, mark);
    if (read?.found === undefined) {
      if (isForward && from < head.earliestOffset) {
        from = head.earliestOffset;
        continue;
      }
      if (isForward ? from === head.nextOffset : from <= head.earliestOffset) return steps;
      throw new Error(`Topic ${log.topicId}: a search finds a hole at ${from}`);
    }
    const { reached, records, frames } = read.found;
    const [first, next] = isForward ? [from, reached] : [reached, from];
    const offsets = splitFrames(frames).map((frame) => log.sawFrame(frame).offset);
    if (records !== offsets.length || first >= next)
      throw new Error(`Topic ${log.topicId}: a search stands at ${from}`);
    log.sawSearch({ writer, first, next, offsets: isForward ? offsets : offsets.toReversed() });
    from = reached;
  }
}

/** Reads single records at offsets that exist, were trimmed, or do not exist yet. */
export async function readSome(reader: RaceReader): Promise<number> {
  const { stores, log, random } = reader;
  const { earliestOffset, nextOffset } = await readHead(reader);
  const offsets = Array.from({ length: wholeNumberBetween(random, 1, 12) }, () =>
    wholeNumberBetween(random, Math.max(0, earliestOffset - 3), nextOffset + 3),
  );
  const found = await oneOf(random, stores).readFrames(log.topicId, offsets);
  for (const { offset, frame } of found) log.sawFrameAt(offset, Buffer.from(frame));
  const after = await readHead(reader);
  const isThere = new Set(found.map(({ offset }) => offset));
  for (const offset of offsets) {
    if (!isThere.has(offset) && offset >= after.earliestOffset && offset < nextOffset) {
      throw new Error(`Topic ${log.topicId}: there is no record at ${offset}`);
    }
  }
  return found.length;
}

/** Reads the whole state and compares it with the head beside it. */
export async function readLatest({ stores, log, random }: RaceReader): Promise<number> {
  const mark = log.mark();
  const read = await oneOf(random, stores).listState({
    topicId: log.topicId,
    prefix: "",
    after: undefined,
    records: 1000,
    bytes: 1_000_000,
  });
  const head = headRead(log, read?.head, mark);
  const latest = new Map<string, number>();
  for (const frame of splitFrames(read?.page?.frames ?? new Uint8Array())) {
    const { key = "", offset } = log.sawFrame(frame);
    latest.set(key, offset);
  }
  log.sawState(head.nextOffset, latest);
  return latest.size;
}
