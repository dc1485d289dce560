import { type BufferPool, defaultLimits, invalidArgument } from "../core/index.js";
import { type Deferred, deferred, type Permit } from "../streams/index.js";
import { BackwardWriter, type RecordInput, stampBytes, writeRecord } from "../wire/index.js";
import { errorOfRefusal } from "./client-error.js";

/** `repeated Record records = 2`, of AppendRequest and PublishRequest alike. */
const recordsTag = 0x12;

/** Encodes records as fields of a request, one behind the other in one buffer. */
export class RecordEncoder {
  readonly #writer = new BackwardWriter();

  /**
   * Encodes a record, which is then kept or forgotten; returns what it counts against the limits of a batch: its bytes
   * with the server's stamp. Throws an InvalidArgumentError that names the field under `path`.
   */
  encode(record: RecordInput, path: string): number {
    const writer = this.#writer;
    writer.clear();
    try {
      writeRecord(writer, record, path);
    } catch (error) {
      throw errorOfRefusal(error);
    }
    const { length } = writer;
    const weight = length + stampBytes;
    if (weight > defaultLimits.recordBytes) {
      const bytes = `has ${weight} bytes with its stamp, at most ${defaultLimits.recordBytes} are allowed`;
      throw errorOfRefusal(invalidArgument(path, bytes));
    }
    writer.varint(length);
    writer.byte(recordsTag);
    return weight;
  }

  /** Puts the record that was encoded last behind those that were kept before. */
  keep(): void {
    this.#writer.keep();
  }

  /** The fields of the records that were kept, which it forgets: in a buffer of their own, or of a pool. */
  take(buffers?: BufferPool): Buffer {
    return this.#writer.take(buffers);
  }
}

/** Encodes the records of one request; `path` names their list. */
export function encodeRecords(records: readonly RecordInput[], path: string): Buffer {
  const encoder = new RecordEncoder();
  for (const [index, record] of records.entries()) {
    encoder.encode(record, `${path}[${index}]`);
    encoder.keep();
  }
  return encoder.take();
}

/** The record is durable. */
export interface Acknowledgement {
  /** Its place in the topic. */
  readonly offset: number;
  /** The topic's incarnation. */
  readonly epoch: number;
  /** The server had it already from a try whose answer was lost. */
  readonly isRepeated: boolean;
}

/** What becomes of a batch. There is no promise of it before somebody waits for one of its records. */
export class BatchFate {
  /** How many records it is of, so far. */
  records = 0;
  #outcome: { readonly acknowledgement: Acknowledgement } | { readonly error: unknown } | undefined;
  #settled: Deferred<Acknowledgement> | undefined;

  /** The acknowledgement of its first record. Rejects with what the batch failed with. */
  get settled(): Promise<Acknowledgement> {
    if (this.#settled === undefined) {
      this.#settled = deferred<Acknowledgement>();
      // Each record's own promise tells a failure; this one must not count as unhandled.
      this.#settled.promise.catch(() => {});
      this.#tell();
    }
    return this.#settled.promise;
  }

  acknowledge(acknowledgement: Acknowledgement): void {
    this.#outcome ??= { acknowledgement };
    this.#tell();
  }

  fail(error: unknown): void {
    this.#outcome ??= { error };
    this.#tell();
  }

  #tell(): void {
    if (this.#outcome === undefined) return;
    if ("error" in this.#outcome) this.#settled?.reject(this.#outcome.error);
    else this.#settled?.resolve(this.#outcome.acknowledgement);
  }
}

/** Records that travel and are committed together. */
export interface RecordBatch {
  /** Fields of a request, one a record. */
  readonly fields: Buffer;
  readonly fate: BatchFate;
  /** Their shares of the publisher's buffer, given back when the batch is settled. */
  readonly permits: readonly Permit[];
}

export interface BatchLimits {
  /** A batch with so many records is complete. */
  readonly batchRecords: number;
  /** A batch with so many bytes is complete, and never has more unless it is one record. */
  readonly batchBytes: number;
}

/** Collects a batch, in one buffer. */
export class BatchBuilder {
  readonly #limits: BatchLimits;
  readonly #buffers: BufferPool;
  readonly #encoder = new RecordEncoder();
  #weight = 0;
  #fate = new BatchFate();
  #permits: Permit[] = [];

  /** `buffers`: where its batches' fields are put, until they are settled. */
  constructor(limits: BatchLimits, buffers: BufferPool) {
    this.#limits = limits;
    this.#buffers = buffers;
  }

  get isEmpty(): boolean {
    return this.#fate.records === 0;
  }

  get isComplete(): boolean {
    return this.#fate.records >= this.#limits.batchRecords || this.#weight >= this.#limits.batchBytes;
  }

  /** The share of the publisher's buffer that was added last; its records may extend it. */
  get permit(): Permit | undefined {
    return this.#permits.at(-1);
  }

  /** Encodes a record, which `add` may then take in; returns its weight. Throws an InvalidArgumentError. */
  encode(record: RecordInput, path: string): number {
    return this.#encoder.encode(record, path);
  }

  /** Whether a record of this weight still goes in. */
  fits(weight: number): boolean {
    return this.isEmpty || (!this.isComplete && this.#weight + weight <= this.#limits.batchBytes);
  }

  /** Adds a share of the publisher's buffer to those that its records have. */
  hold(permit: Permit): void {
    this.#permits.push(permit);
  }

  /** Takes in the record that was encoded last, of this weight; gives what it shares its fate with, as its last record. */
  add(weight: number): BatchFate {
    this.#encoder.keep();
    this.#weight += weight;
    this.#fate.records += 1;
    return this.#fate;
  }

  /** Takes the batch out; the next one begins. */
  take(): RecordBatch {
    const batch = { fields: this.#encoder.take(this.#buffers), fate: this.#fate, permits: this.#permits };
    this.#weight = 0;
    this.#fate = new BatchFate();
    this.#permits = [];
    return batch;
  }
}
