import { type BufferPool, defaultLimits, invalidArgument } from "../core/index.js";
import { type Deferred, deferred, type Permit } from "../streams/index.js";
import { BackwardWriter, type RecordInput, stampBytes, writeRecord } from "../wire/index.js";
import { errorOfRefusal } from "./client-error.js";

/** `repeated Record records = 2`, in both AppendRequest and PublishRequest. */
const recordsTag = 0x12;

/** Encodes records as fields of a request, one after the other in one buffer. */
export class RecordEncoder {
  readonly #writer = new BackwardWriter();

  /**
   * Encodes a record, for `keep`; the next `encode` overwrites one that was not kept. Returns its weight in a batch:
   * its bytes with the server's stamp. Throws an InvalidArgumentError that names the field under `path`.
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

  /** Keeps the record that was encoded last, after those kept before. */
  keep(): void {
    this.#writer.keep();
  }

  /** Takes out the fields of the kept records, in a new buffer or one of `buffers`. */
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
  /** The server already had the record from a try whose answer was lost. */
  readonly isRepeated: boolean;
}

/** The outcome of a batch. Its promise is made only when somebody waits for one of its records. */
export class BatchOutcome {
  /** How many records the batch has so far. */
  records = 0;
  #result: { readonly acknowledgement: Acknowledgement } | { readonly error: unknown } | undefined;
  #settled: Deferred<Acknowledgement> | undefined;

  /** The acknowledgement of the batch's first record. Rejects with the batch's failure. */
  get settled(): Promise<Acknowledgement> {
    if (this.#settled === undefined) {
      this.#settled = deferred<Acknowledgement>();
      // Each record's own promise reports a failure; this one must not count as unhandled.
      this.#settled.promise.catch(() => {});
      this.#tell();
    }
    return this.#settled.promise;
  }

  acknowledge(acknowledgement: Acknowledgement): void {
    this.#result ??= { acknowledgement };
    this.#tell();
  }

  fail(error: unknown): void {
    this.#result ??= { error };
    this.#tell();
  }

  #tell(): void {
    if (this.#result === undefined) return;
    if ("error" in this.#result) this.#settled?.reject(this.#result.error);
    else this.#settled?.resolve(this.#result.acknowledgement);
  }
}

/** Records that are sent and committed together. */
export interface OutgoingBatch {
  /** Fields of a request, one per record. */
  readonly fields: Buffer;
  readonly outcome: BatchOutcome;
  /** Room in the publisher's buffer, released when the batch is settled. */
  readonly permits: readonly Permit[];
}

export interface BatchBounds {
  /** A batch is complete with this many records. */
  readonly batchRecords: number;
  /** A batch is complete with this many bytes, and never has more, except as a single record. */
  readonly batchBytes: number;
}

/** Collects a batch, in one buffer. */
export class BatchBuilder {
  readonly #limits: BatchBounds;
  readonly #buffers: BufferPool;
  readonly #encoder = new RecordEncoder();
  #weight = 0;
  #outcome = new BatchOutcome();
  #permits: Permit[] = [];

  /** `buffers` lends the buffers for the batches' fields, until they are settled. */
  constructor(limits: BatchBounds, buffers: BufferPool) {
    this.#limits = limits;
    this.#buffers = buffers;
  }

  get isEmpty(): boolean {
    return this.#outcome.records === 0;
  }

  get isComplete(): boolean {
    return this.#outcome.records >= this.#limits.batchRecords || this.#weight >= this.#limits.batchBytes;
  }

  /** The permit that was added last; later records may extend it. */
  get permit(): Permit | undefined {
    return this.#permits.at(-1);
  }

  /** Encodes a record, which `add` may then take in; returns its weight. Throws an InvalidArgumentError. */
  encode(record: RecordInput, path: string): number {
    return this.#encoder.encode(record, path);
  }

  /** Whether there is room for a record of this weight. */
  fits(weight: number): boolean {
    return this.isEmpty || (!this.isComplete && this.#weight + weight <= this.#limits.batchBytes);
  }

  /** Adds a permit for room in the publisher's buffer. */
  hold(permit: Permit): void {
    this.#permits.push(permit);
  }

  /**
   * Adds the record that was encoded last, with its weight. Returns the outcome of the batch, whose last record it is.
   */
  add(weight: number): BatchOutcome {
    this.#encoder.keep();
    this.#weight += weight;
    this.#outcome.records += 1;
    return this.#outcome;
  }

  /** Takes the batch out and starts the next one. */
  take(): OutgoingBatch {
    const batch = { fields: this.#encoder.take(this.#buffers), outcome: this.#outcome, permits: this.#permits };
    this.#weight = 0;
    this.#outcome = new BatchOutcome();
    this.#permits = [];
    return batch;
  }
}
