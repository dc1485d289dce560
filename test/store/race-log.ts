/** What is known of a topic while many write, trim, merge and read it. A contradiction is a failure. */

import { crc32 } from "node:zlib";
import type { Head } from "../../src/store/index.js";
import { frameOf } from "./topic-writes.js";

/** A record, decoded from its frame. */
export interface RaceRecord {
  readonly topicId: number;
  /** Its writer, such as `w3`. */
  readonly writer: string;
  /** Unique in the topic: the writer's try, and the record within it. */
  readonly name: string;
  readonly offset: number;
  /** The topic's running total of frame bytes, including this record. */
  readonly endBytes: number;
  readonly timeMicros: number;
  readonly key: string | undefined;
  readonly isTombstone: boolean;
}

/** A frame of this size that says where it must stand, with a checksum. */
export function frameOfRecord(record: RaceRecord, bytes: number): Buffer {
  const { topicId, writer, name, offset, endBytes, timeMicros, key = "-", isTombstone } = record;
  const text = [topicId, writer, name, offset, endBytes, timeMicros, key, isTombstone ? "gone" : "there"].join(" ");
  return frameOf(`${text} ${crc32(text)} `, bytes);
}

function recordOfFrame(frame: Buffer): RaceRecord {
  const words = frame.toString("latin1", 4).split(" ");
  const [topicId, writer = "", name = "", offset, endBytes, timeMicros, key, life, checksum] = words;
  if (crc32(words.slice(0, 8).join(" ")) !== Number(checksum)) throw new Error(`A frame is torn: ${words.join(" ")}`);
  return {
    topicId: Number(topicId),
    writer,
    name,
    offset: Number(offset),
    endBytes: Number(endBytes),
    timeMicros: Number(timeMicros),
    key: key === "-" ? undefined : key,
    isTombstone: life === "gone",
  };
}

/** What every later answer must include. */
export interface RaceMark {
  readonly nextOffset: number;
  readonly earliestOffset: number;
}

interface SearchedRange {
  readonly writer: string;
  readonly first: number;
  readonly next: number;
  readonly offsets: readonly number[];
}

export class RaceLog {
  readonly topicId: number;
  /** By offset: acknowledged to a writer, or seen by a reader. */
  readonly #records = new Map<number, RaceRecord>();
  /** Running totals of frame bytes below an offset. */
  readonly #totals = new Map<number, number>([[0, 0]]);
  /** The time of the last record below an offset. */
  readonly #times = new Map<number, number>([[0, 0]]);
  readonly #acknowledged: { readonly first: number; readonly next: number }[] = [];
  readonly #acknowledgedNames = new Set<string>();
  readonly #searches: SearchedRange[] = [];
  readonly #states: { readonly nextOffset: number; readonly latest: ReadonlyMap<string, number> }[] = [];
  #nextOffset = 0;
  #earliestOffset = 0;
  #closedAt: number | undefined;

  constructor(topicId: number) {
    this.topicId = topicId;
  }

  get isClosed(): boolean {
    return this.#closedAt !== undefined;
  }

  mark(): RaceMark {
    return { nextOffset: this.#nextOffset, earliestOffset: this.#earliestOffset };
  }

  /** A writer received an acknowledgement of these. */
  acknowledge(records: readonly RaceRecord[]): void {
    const [{ offset: first }] = records as [RaceRecord];
    const next = first + records.length;
    for (const record of records) {
      this.#learn(record);
      this.#acknowledgedNames.add(record.name);
    }
    this.#acknowledged.push({ first, next });
    this.#nextOffset = Math.max(this.#nextOffset, next);
    if (this.#closedAt !== undefined && next > this.#closedAt) {
      throw this.#failure(`${first} to ${next} was appended, but the topic was closed at ${this.#closedAt}`);
    }
  }

  closed({ closed, nextOffset }: Head): void {
    if (!closed) throw this.#failure("a close was acknowledged, and it is open");
    if (this.#closedAt !== undefined && this.#closedAt !== nextOffset) {
      throw this.#failure(`it was closed at ${this.#closedAt}, and then at ${nextOffset}`);
    }
    this.#closedAt = nextOffset;
    if (this.#nextOffset > nextOffset)
      throw this.#failure(`it ends at ${this.#nextOffset}, and was closed at ${nextOffset}`);
  }

  /** A head that a statement saw which was sent after the mark. */
  sawHead(head: Head, mark: RaceMark): void {
    const { earliestOffset, nextOffset, earliestBytes, nextBytes, lastTimeMicros, closed } = head;
    if (nextOffset < mark.nextOffset) throw this.#failure(`it ends at ${nextOffset}, below ${mark.nextOffset}`);
    if (earliestOffset < mark.earliestOffset || earliestOffset > nextOffset) {
      throw this.#failure(`it begins at ${earliestOffset}, of ${mark.earliestOffset} to ${nextOffset}`);
    }
    this.#set(this.#totals, nextOffset, nextBytes, "bytes below");
    this.#set(this.#totals, earliestOffset, earliestBytes, "bytes below");
    this.#set(this.#times, nextOffset, lastTimeMicros, "time below");
    this.#earliestOffset = Math.max(this.#earliestOffset, earliestOffset);
    if (closed && this.#closedAt !== undefined && nextOffset !== this.#closedAt) {
      throw this.#failure(`it was closed at ${this.#closedAt}, and ends at ${nextOffset}`);
    }
  }

  /** A frame that was returned for any offset. */
  sawFrame(frame: Buffer): RaceRecord {
    const record = recordOfFrame(frame);
    this.#learn(record);
    this.#set(this.#totals, record.offset, record.endBytes - frame.length, "bytes below");
    return record;
  }

  /** A frame that was returned for this offset. */
  sawFrameAt(offset: number, frame: Buffer): void {
    const { offset: own } = this.sawFrame(frame);
    if (own !== offset) throw this.#failure(`at ${offset} there is a record of ${own}`);
  }

  sawTotal(offset: number, bytes: number): void {
    this.#set(this.#totals, offset, bytes, "bytes below");
  }

  /** A search for a writer over these offsets found those. `check` tells whether it missed any. */
  sawSearch(range: SearchedRange): void {
    this.#searches.push(range);
  }

  /** Keys with the offsets of their latest records, as of a head that ends at `nextOffset`. */
  sawState(nextOffset: number, latest: ReadonlyMap<string, number>): void {
    this.#states.push({ nextOffset, latest });
  }

  /** After the last write: every offset was acknowledged once, and all that was seen matches. */
  check({ nextOffset, closed }: Head): void {
    if (closed !== this.isClosed) throw this.#failure(`closed is ${closed}`);
    if (this.#closedAt !== undefined && nextOffset !== this.#closedAt) {
      throw this.#failure(`it was closed at ${this.#closedAt}, and ends at ${nextOffset}`);
    }
    let reached = 0;
    for (const { first, next } of this.#acknowledged.sort((one, other) => one.first - other.first)) {
      if (first !== reached) throw this.#failure(`acknowledged were offsets up to ${reached}, and then from ${first}`);
      reached = next;
    }
    if (reached !== nextOffset) throw this.#failure(`it ends at ${nextOffset}, and ${reached} were acknowledged`);
    for (const { name, offset } of this.#records.values()) {
      if (!this.#acknowledgedNames.has(name))
        throw this.#failure(`${name} was seen at ${offset}, and never acknowledged`);
    }
    for (const search of this.#searches) this.#checkSearch(search);
    this.#checkStates();
  }

  #checkSearch({ writer, first, next, offsets }: SearchedRange): void {
    const expected: number[] = [];
    for (let offset = first; offset < next; offset++) {
      if (this.#records.get(offset)?.writer === writer) expected.push(offset);
    }
    if (expected.join() !== offsets.join()) {
      throw this.#failure(
        `a search from ${first} to ${next} for ${writer} found ${offsets.join()}, not ${expected.join()}`,
      );
    }
  }

  #checkStates(): void {
    const textOf = (state: ReadonlyMap<string, number>) => [...state].sort().join(" ");
    const expected = new Map<string, number>();
    let offset = 0;
    for (const { nextOffset, latest } of this.#states.sort((one, other) => one.nextOffset - other.nextOffset)) {
      for (; offset < nextOffset; offset++) {
        const { key, isTombstone = false } = this.#records.get(offset) ?? {};
        if (key === undefined) continue;
        if (isTombstone) expected.delete(key);
        else expected.set(key, offset);
      }
      if (textOf(expected) !== textOf(latest)) {
        throw this.#failure(`its state at ${nextOffset} was ${textOf(latest)}, not ${textOf(expected)}`);
      }
    }
  }

  #learn(record: RaceRecord): void {
    const { topicId, offset, name, endBytes, timeMicros } = record;
    if (topicId !== this.topicId) throw this.#failure(`at ${offset} there is a record of topic ${topicId}`);
    const known = this.#records.get(offset);
    if (known !== undefined && known.name !== name) {
      throw this.#failure(`at ${offset} there are ${known.name} and ${name}`);
    }
    this.#records.set(offset, record);
    this.#set(this.#totals, offset + 1, endBytes, "bytes below");
    this.#set(this.#times, offset + 1, timeMicros, "time below");
  }

  #set(known: Map<number, number>, offset: number, value: number, what: string): void {
    const before = known.get(offset);
    if (before !== undefined && before !== value) {
      throw this.#failure(`the ${what} ${offset} is ${before} and ${value}`);
    }
    known.set(offset, value);
  }

  #failure(text: string): Error {
    return new Error(`Topic ${this.topicId}: ${text}`);
  }
}
