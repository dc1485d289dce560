/** A writer that works like a node's publisher: it appends on the view that it has, which is often old. */

import type { ProducerState } from "../../src/core/index.js";
import type { SharedCommits } from "../../src/engine/writing/shared-commits.js";
import type { AppendWrite, Head, StateChange, Store } from "../../src/store/index.js";
import { type Random, wholeNumberBetween } from "../support/soak.js";
import { frameOfRecord, type RaceLog, type RaceRecord } from "./race-log.js";
import { writeAfter } from "./topic-writes.js";

export interface RaceWriterOptions {
  readonly name: string;
  readonly store: Store;
  readonly commits: SharedCommits;
  readonly log: RaceLog;
  readonly random: Random;
  readonly isKeyed: boolean;
}

type Tried = "appended" | "locked" | "moved" | "closed";

interface Decided {
  readonly write: AppendWrite;
  readonly records: readonly RaceRecord[];
}

const keys = 6;
const frameBytesMin = 72;
const frameBytesMax = 130;

export class RaceWriter {
  readonly #options: RaceWriterOptions;
  #head: Head | undefined;
  #tries = 0;
  /** Acknowledged commits with a producer. */
  #sequence = 0;

  constructor(options: RaceWriterOptions) {
    this.#options = options;
  }

  /** One try. A write that missed is repeated by the next: on a newer view, under the lock, or on the same view. */
  async write(): Promise<Tried> {
    const { commits, log, random } = this.#options;
    if (random() < 0.04) return this.#writeLocked();
    // Other writers are faster: any view but a fresh one is old.
    if (this.#head === undefined || random() < 0.7) this.#head = await this.#readHead();
    const head = this.#head;
    const { write, records } = this.#decide(head);
    if ((await commits.append(write, random() < 0.7)) === "moved")
      return random() < 0.1 ? this.#writeLocked() : "moved";
    this.#acknowledged(write, records);
    this.#head = headAfter(head, write);
    return log.isClosed ? "closed" : "appended";
  }

  async #readHead(): Promise<Head> {
    const { store, log } = this.#options;
    const mark = log.mark();
    const view = await store.readView(log.topicId, []);
    if (view === undefined) throw new Error(`Topic ${log.topicId} is gone`);
    log.sawHead(view.head, mark);
    return view.head;
  }

  async #writeLocked(): Promise<Tried> {
    const { store, log, name } = this.#options;
    const mark = log.mark();
    let decided: Decided | undefined;
    const outcome = await store.appendLocked({
      topicId: log.topicId,
      producerIds: [name],
      decide: ({ head, producers }) => {
        log.sawHead(head, mark);
        const known = producers[0]?.nextSequence ?? 0;
        if (known !== this.#sequence) throw new Error(`${name} is at ${known}, and was acknowledged ${this.#sequence}`);
        decided = head.closed ? undefined : this.#decide(head);
        return decided?.write;
      },
    });
    if (outcome === undefined) throw new Error(`Topic ${log.topicId} is gone`);
    if (decided === undefined) return "closed";
    this.#acknowledged(decided.write, decided.records);
    return "locked";
  }

  #acknowledged(write: AppendWrite, records: readonly RaceRecord[]): void {
    if (write.producers.length > 0) this.#sequence += 1;
    this.#options.log.acknowledge(records);
  }

  /** One block or several, with or without its producer and keys. */
  #decide(head: Head): Decided {
    const { name: writer, log, random, isKeyed } = this.#options;
    const timeMicros = head.lastTimeMicros + 1000;
    const attempt = this.#tries++;
    const count = random() < 0.5 ? 1 : wholeNumberBetween(random, 2, 9);
    const records: RaceRecord[] = [];
    const frames: Buffer[] = [];
    let endBytes = head.nextBytes;
    for (let index = 0; index < count; index++) {
      const bytes = wholeNumberBetween(random, frameBytesMin, frameBytesMax);
      endBytes += bytes;
      const record: RaceRecord = {
        topicId: log.topicId,
        writer,
        name: `${writer}.${attempt}.${index}`,
        offset: head.nextOffset + index,
        endBytes,
        timeMicros,
        key: isKeyed && random() < 0.5 ? `k${wholeNumberBetween(random, 1, keys)}` : undefined,
        isTombstone: random() < 0.2,
      };
      records.push(record);
      frames.push(frameOfRecord(record, bytes));
    }
    const write = writeAfter(head, frames, {
      timeMicros,
      producers: random() < 0.5 ? [this.#producerAt(head.nextOffset, count)] : [],
      state: stateOf(records),
      expires: random() < 0.05,
    });
    return { write, records };
  }

  #producerAt(firstOffset: number, count: number): ProducerState {
    const recent = [{ firstOffset, nextOffset: firstOffset + count }];
    return { id: this.#options.name, generation: 1, nextSequence: this.#sequence + 1, recent };
  }
}

/** Each key once, with its last record. */
function stateOf(records: readonly RaceRecord[]): StateChange[] {
  const changes = new Map<string, StateChange>();
  for (const [index, { key, isTombstone }] of records.entries()) {
    if (key !== undefined) changes.set(key, { key, index, isTombstone, place: undefined });
  }
  return [...changes.values()];
}

function headAfter(head: Head, { frameEnds, frames, timeMicros }: AppendWrite): Head {
  const nextOffset = head.nextOffset + frameEnds.length;
  return { ...head, nextOffset, nextBytes: head.nextBytes + frames.length, lastTimeMicros: timeMicros };
}
