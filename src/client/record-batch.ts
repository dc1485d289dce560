import { defaultLimits, invalidArgument } from "../core/index.js";
import type { Permit } from "../streams/index.js";
import { BackwardWriter, type RecordInput, stampBytes, writeRecord } from "../wire/index.js";
import { errorOfRefusal } from "./client-error.js";

/** `repeated Record records = 2`, of AppendRequest and PublishRequest alike. */
const recordsTag = 0x12;

/** One encoder serves all publishers of a process: encoding never waits. */
const writer = new BackwardWriter();

/** A record as a field of a request. */
export interface EncodedRecord {
  /** Tag, length and record; valid until the next record is encoded. */
  readonly field: Buffer;
  /** What it counts against the limits of a batch: its bytes with the server's stamp. */
  readonly weight: number;
}

/** Encodes a record. Throws an InvalidArgumentError that names the field under `path`. */
export function encodeRecord(record: RecordInput, path = "record"): EncodedRecord {
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
  return { field: writer.written, weight };
}

/** What became of one record of a batch. */
export interface Outcome {
  acknowledged(acknowledgement: Acknowledgement): void;
  failed(error: unknown): void;
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

/** Records that travel and are committed together. */
export interface RecordBatch {
  /** Fields of a request, one a record. */
  readonly fields: Buffer;
  readonly outcomes: readonly Outcome[];
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
  #fields = Buffer.allocUnsafe(0);
  #length = 0;
  #weight = 0;
  #outcomes: Outcome[] = [];
  #permits: Permit[] = [];

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#outcomes.length === 0;
  }

  get isComplete(): boolean {
    return this.#outcomes.length >= this.#limits.batchRecords || this.#weight >= this.#limits.batchBytes;
  }

  /** Whether a record of this weight still goes in. */
  fits(weight: number): boolean {
    return this.isEmpty || (!this.isComplete && this.#weight + weight <= this.#limits.batchBytes);
  }

  add({ field, weight }: EncodedRecord, outcome: Outcome, permit: Permit): void {
    const end = this.#length + field.length;
    if (end > this.#fields.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, this.#fields.length * 2, 4096));
      grown.set(this.#fields.subarray(0, this.#length));
      this.#fields = grown;
    }
    this.#fields.set(field, this.#length);
    this.#length = end;
    this.#weight += weight;
    this.#outcomes.push(outcome);
    this.#permits.push(permit);
  }

  /** Takes the batch out; the next one begins. */
  take(): RecordBatch {
    // A batch waits until it is acknowledged, so it keeps no more than its own bytes.
    const fields = Buffer.from(this.#fields.subarray(0, this.#length));
    const batch = { fields, outcomes: this.#outcomes, permits: this.#permits };
    this.#length = 0;
    this.#weight = 0;
    this.#outcomes = [];
    this.#permits = [];
    return batch;
  }
}
