/** What publishers were told, held against what followers see: each record says who published it, and as what. */

import { expect } from "vitest";
import type { MillraceClient, Publisher, PublisherOptions, ReceivedRecord, RecordInput } from "../../src/index.js";

/** The records of one batch. Their content is unique, and tells which part of which batch it is. */
export function batchOf(publisher: string, batch: number, size: number, paddingBytes = 0): RecordInput[] {
  const padding = "·".repeat(Math.ceil(paddingBytes / 2));
  return Array.from({ length: size }, (_, index) => ({
    key: publisher,
    text: `${publisher} ${batch} ${index} ${size} ${padding}`,
  }));
}

/** Waits for a count that only grows. */
class Milestones {
  readonly #waiting = new Map<() => void, number>();

  reached(count: number): void {
    for (const [resolve, least] of this.#waiting) {
      if (count < least) continue;
      this.#waiting.delete(resolve);
      resolve();
    }
  }

  /** Resolves when the count is there, or all of `work` has ended; rejects when one of it fails. */
  async wait(count: number, work: readonly Promise<void>[]): Promise<void> {
    const reached = new Promise<void>((resolve) => this.#waiting.set(resolve, count));
    await Promise.race([reached, Promise.all(work)]);
  }
}

/** Offsets and content as one follower saw them. Refuses a record that does not come next. */
export class Transcript {
  readonly texts: string[] = [];
  readonly firstOffset: number;
  readonly #milestones = new Milestones();

  constructor(firstOffset = 0) {
    this.firstOffset = firstOffset;
  }

  get nextOffset(): number {
    return this.firstOffset + this.texts.length;
  }

  take({ offset, text }: Pick<ReceivedRecord, "offset" | "text">): void {
    const expected = this.nextOffset;
    if (offset !== expected) throw new Error(`A follower at offset ${expected} was given ${offset}: ${text}`);
    this.texts.push(text ?? "");
    this.#milestones.reached(this.nextOffset);
  }

  /** Resolves when every record below this offset was seen; rejects when the follower fails, or ends, before. */
  async reaches(nextOffset: number, follower: Promise<void>): Promise<void> {
    if (this.nextOffset < nextOffset) await this.#milestones.wait(nextOffset, [follower]);
    expect(this.nextOffset).toBeGreaterThanOrEqual(nextOffset);
  }
}

/** What was acknowledged in one topic. */
export class AcknowledgedLog {
  /** How long each batch waited for its acknowledgement. */
  readonly latenciesMs: number[] = [];
  /** Batches that the server had already when they came again. */
  repeatedBatches = 0;
  readonly #texts = new Map<number, string>();
  readonly #milestones = new Milestones();

  /** How many records were acknowledged. */
  get size(): number {
    return this.#texts.size;
  }

  add(offset: number, text: string): void {
    const other = this.#texts.get(offset);
    if (other !== undefined) throw new Error(`Offset ${offset} was acknowledged twice: for ${other} and ${text}`);
    this.#texts.set(offset, text);
    this.#milestones.reached(this.size);
  }

  /** Resolves when so many records were acknowledged; rejects when one of these fails, or all end, before. */
  async reaches(size: number, publishers: readonly Promise<void>[]): Promise<void> {
    if (this.size < size) await this.#milestones.wait(size, publishers);
    expect(this.size).toBeGreaterThanOrEqual(size);
  }

  /**
   * Holds a transcript that goes to the topic's end against the acknowledgements (invariants 1, 2, 3): each acknowledged
   * record is where its publisher was told, nothing is there twice, no batch is torn or out of its publisher's order.
   */
  check(transcript: Transcript): void {
    const { texts, firstOffset } = transcript;
    const lost: string[] = [];
    for (const [offset, text] of this.#texts) {
      if (offset < firstOffset) continue;
      const seen = texts[offset - firstOffset];
      if (seen !== text) lost.push(`${offset}: acknowledged ${text}, seen ${seen}`);
    }
    expect(lost).toEqual([]);
    expect(new Set(texts).size).toBe(texts.length);
    if (firstOffset === 0) expect(tornBatches(texts)).toEqual([]);
  }

  /** The time within which so many of a hundred batches were acknowledged. */
  latencyMs(percentile: number): number {
    const sorted = this.latenciesMs.toSorted((left, right) => left - right);
    return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percentile) / 100))] ?? 0;
  }
}

/** Places where a batch does not follow on its publisher's last one, from its first record to its last. */
function tornBatches(texts: readonly string[]): string[] {
  const torn: string[] = [];
  const nextBatches = new Map<string, number>();
  for (let offset = 0; offset < texts.length; ) {
    const [publisher = "", batchText, , sizeText] = (texts[offset] ?? "").split(" ");
    const [batch, size] = [Number(batchText), Number(sizeText)];
    const place = `${offset}: ${texts[offset]}`;
    if (batch !== (nextBatches.get(publisher) ?? 0)) torn.push(`${place}, not batch ${nextBatches.get(publisher)}`);
    nextBatches.set(publisher, batch + 1);
    for (let index = 0; index < size; index += 1, offset += 1) {
      const head = `${publisher} ${batch} ${index} ${size} `;
      if (texts[offset]?.startsWith(head) !== true) {
        torn.push(`${offset}: ${texts[offset]}, not ${head}`);
        return torn;
      }
    }
  }
  return torn;
}

export interface BatchPublishing extends PublisherOptions {
  readonly topic: string;
  /** Unique among the publishers of a topic. */
  readonly name: string;
  readonly log: AcknowledgedLog;
  /** Whether to go on with this batch. */
  readonly goesOn: (batch: number) => boolean;
  /** Records in each batch. */
  readonly batchRecords: number;
  readonly paddingBytes?: number;
  /** How many batches may wait for their acknowledgements. Default 20. */
  readonly outstanding?: number;
}

/** Publishes batches one after the other, writes down what is acknowledged, and resolves when all of it is. */
export async function publishBatches(client: MillraceClient, options: BatchPublishing): Promise<void> {
  const { topic, name, log, goesOn, batchRecords, paddingBytes, outstanding = 20 } = options;
  // A batch is complete with its last record, and all of them are added at once: the linger never cuts one.
  const publisher = client.publisher(topic, { ...options, batchRecords, batchBytes: 1_048_576 });
  const waiting: Promise<void>[] = [];
  for (let batch = 0; goesOn(batch); batch += 1) {
    waiting.push(publishBatch(publisher, log, batchOf(name, batch, batchRecords, paddingBytes)));
    // Awaited later, perhaps after another one has failed: that is told then.
    waiting.at(-1)?.catch(() => undefined);
    if (waiting.length >= outstanding) await waiting.shift();
  }
  await Promise.all(waiting);
  await publisher.close();
}

async function publishBatch(
  publisher: Publisher,
  log: AcknowledgedLog,
  records: readonly RecordInput[],
): Promise<void> {
  const started = performance.now();
  const acknowledgements = await Promise.all(records.map((record) => publisher.publish(record)));
  log.latenciesMs.push(performance.now() - started);
  if (acknowledgements[0]?.isRepeated === true) log.repeatedBatches += 1;
  acknowledgements.forEach(({ offset }, index) => log.add(offset, records[index]?.text ?? ""));
}
