import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { type Appended, BufferPool, defaultLimits } from "../core/index.js";
import { abortable, type Backoff, backoff, forEach, type Permit, Semaphore } from "../streams/index.js";
import type { RecordInput } from "../wire/index.js";
import { type ClientError, clientError, isTransient } from "./client-error.js";
import type { Connection } from "./connection.js";
import { Outbox } from "./outbox.js";
import { Publication } from "./publication.js";
import type { PublishAllOptions, PublisherOptions, PublishTotals } from "./publisher-options.js";
import { generationTaken, newGeneration } from "./producer-generation.js";
import { runPublishCall } from "./publish-call.js";
import { PublishedRecords } from "./published-records.js";
import { retryBackoff } from "./retry-backoff.js";
import { type Acknowledgement, BatchBuilder, type BatchOutcome, type OutgoingBatch } from "./outgoing-batch.js";

/** How many records may wait for room in the buffer. */
const waitingMax = 1024;

/**
 * Publishes records to one topic, in pipelined batches. Each batch is applied exactly once, because the server knows
 * its producer and sequence. When the connection is lost, the publisher reconnects and sends all unacknowledged batches
 * again, in order. An error that no retry can resolve fails the publisher: all unacknowledged records reject with that
 * error, and so do all later ones.
 *
 * `bufferBytes` bounds the unacknowledged records. `publish` waits for room; `ready` waits beforehand:
 *
 * ```ts
 * for (const record of records) {
 *   await publisher.ready();
 *   publisher.publish(record).catch(report);
 * }
 * await publisher.close();
 * ```
 */
export class Publisher {
  readonly topic: string;
  /** Names this publisher to the server. */
  readonly producerId: string;
  readonly #connection: Connection;
  readonly #options: PublisherOptions;
  readonly #lingerMs: number;
  readonly #room: Semaphore;
  /** Buffers of acknowledged batches, for reuse: never more than `bufferBytes` together. */
  readonly #buffers: BufferPool;
  readonly #builder: BatchBuilder;
  readonly #outbox = new Outbox();
  readonly #waits: Backoff;
  /** Aborts when the publisher fails, or when `close` is aborted. */
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;
  #epoch: number;
  /** Undefined until the server was asked. */
  #generation: number | undefined;
  #attempt = 0;
  /** Stops the linger timer of the batch that is being filled. */
  #cancelLinger: (() => void) | undefined;
  /** How many records wait for room. */
  #waiting = 0;
  /** Settles when all of them have had their turn. */
  #turns: Promise<unknown> = Promise.resolve();
  #isClosing = false;
  /** No more batches will be added to the outbox. */
  #isSealed = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(connection: Connection, topic: string, options: PublisherOptions = {}) {
    this.topic = topic;
    this.producerId = options.producerId ?? randomUUID();
    // Nobody else has a random name, so the server need not be asked.
    if (options.producerId === undefined) this.#generation = options.generation ?? 0;
    this.#connection = connection;
    this.#options = options;
    this.#lingerMs = options.lingerMs ?? 5;
    this.#epoch = options.epoch ?? 0;
    const bufferBytes = options.bufferBytes ?? 16 * 1_048_576;
    this.#room = new Semaphore({ capacity: bufferBytes, maxWaiting: 1 });
    this.#buffers = new BufferPool(bufferBytes);
    const limits = {
      batchRecords: Math.min(options.batchRecords ?? 500, defaultLimits.batchRecords),
      batchBytes: Math.min(options.batchBytes ?? 262_144, defaultLimits.batchBytes),
    };
    this.#builder = new BatchBuilder(limits, this.#buffers);
    this.#waits = backoff(retryBackoff(options.backoff));
    // Any number of flushes share this signal.
    setMaxListeners(0, this.#stopped.signal);
    this.#running = this.#run();
  }

  /** The topic's incarnation; 0 while unknown. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Bytes that may be published without waiting. */
  get room(): number {
    return this.#room.available;
  }

  /** Resolves when there is room in the buffer. Rejects with the publisher's failure, or the signal's reason. */
  async ready(signal?: AbortSignal): Promise<void> {
    this.#throwIfOver();
    const isRoom = this.#waiting === 0 && this.#room.available > 0;
    if (!isRoom) (await this.#inTurn(() => this.#waitForRoom(1, signal), signal)).release();
  }

  /**
   * Publishes a record; resolves when it is durable. First waits for room in the buffer; up to 1024 records may wait.
   * Records are published in the order of the calls. The signal ends only the wait for room. The promise need not be
   * awaited: it causes no unhandled rejection, and `flush` and `close` reject with the same failure.
   */
  publish(record: RecordInput, signal?: AbortSignal): Promise<Acknowledgement> {
    try {
      this.#throwIfOver();
      const outcome = this.#addNow(record, "record");
      if (outcome !== undefined) return new Publication(outcome, outcome.records - 1);
    } catch (error) {
      return handled(Promise.reject(error));
    }
    let publication: Publication | undefined;
    const added = this.#addLater(record, signal, (outcome) => {
      publication = new Publication(outcome, outcome.records - 1);
    });
    return handled(added.then(() => publication as Publication));
  }

  /**
   * Publishes all records of a source, no faster than they are acknowledged, and resolves when all of them are durable.
   * When it rejects, records that it already took may still be published.
   */
  async publishAll(
    source: AsyncIterable<RecordInput> | Iterable<RecordInput>,
    { signal, onAcknowledged }: PublishAllOptions = {},
  ): Promise<PublishTotals> {
    const published = new PublishedRecords(onAcknowledged);
    let records = 0;
    await forEach(
      source,
      (record) => {
        this.#throwIfOver();
        const outcome = this.#addNow(record, `record ${records}`);
        records += 1;
        if (outcome === undefined) return this.#addLater(record, signal, (later) => published.add(later));
        published.add(outcome);
        return undefined;
      },
      // With this signal, a failure ends the loop even while the source has no record.
      this.#signalWith(signal),
    );
    await this.flush(signal);
    return published.totals();
  }

  /** Sends what was published so far without lingering, and resolves when it is durable. Rejects with the failure. */
  async flush(signal?: AbortSignal): Promise<void> {
    this.#throwIfFailed();
    this.#seal();
    const upTo = this.#outbox.sealed;
    const stop = this.#signalWith(signal);
    while (this.#outbox.acknowledged < upTo && this.#failure === undefined) await this.#outbox.change(stop);
    this.#throwIfFailed();
  }

  /**
   * Takes no more records, and resolves when all are durable and the call has ended. Rejects with the failure. When the
   * signal aborts, it rejects with the signal's reason, and so do the promises of all unacknowledged records.
   */
  async close(signal?: AbortSignal): Promise<void> {
    this.#isClosing = true;
    try {
      // Records that were published before the close may still wait for room.
      while (this.#waiting > 0) await abortable(this.#turns, signal);
      this.#isSealed = true;
      this.#seal();
      this.#outbox.touch();
      await abortable(this.#running, signal);
    } catch (error) {
      this.#fail(error);
      await this.#running;
      throw error;
    }
    this.#throwIfFailed();
  }

  /**
   * Adds a record to the end of the batch that is being filled. Undefined: there is no room now, or an earlier record
   * waits for room.
   */
  #addNow(record: RecordInput, path: string): BatchOutcome | undefined {
    const weight = this.#builder.encode(record, path);
    if (!this.#builder.fits(weight)) this.#seal();
    return this.#waiting === 0 && this.#takeRoom(weight) ? this.#add(weight) : undefined;
  }

  /** The same, once there is room. Calls `onAdded` at once, while the record is the last of its batch. */
  #addLater(
    record: RecordInput,
    signal: AbortSignal | undefined,
    onAdded: (outcome: BatchOutcome) => void,
  ): Promise<void> {
    return this.#inTurn(async () => {
      const permit = await this.#waitForRoom(this.#builder.encode(record, "record"), signal);
      try {
        // Other records may have used the encoder during the wait.
        const weight = this.#builder.encode(record, "record");
        if (!this.#builder.fits(weight)) this.#seal();
        this.#builder.hold(permit);
        onAdded(this.#add(weight));
      } catch (error) {
        // The caller changed the record during the wait, and it is now invalid.
        permit.release();
        throw error;
      }
    }, signal);
  }

  /**
   * Takes room for a record, if there is some. A batch has one permit, and one more for each record that had to wait.
   */
  #takeRoom(weight: number): boolean {
    if (this.#builder.permit?.extend(weight) === true) return true;
    const permit = this.#room.tryAcquire(weight);
    if (permit !== undefined) this.#builder.hold(permit);
    return permit !== undefined;
  }

  /**
   * Runs `work` after all earlier waits. The semaphore alone would not keep the order: a record that gets room at once
   * could overtake one that was granted room but whose code has not run yet.
   */
  async #inTurn<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.#waiting >= waitingMax) {
      const text = `Cannot publish: ${waitingMax} records already wait for room. Wait for ready() before each record`;
      throw clientError("RESOURCE_EXHAUSTED", text);
    }
    this.#waiting += 1;
    const before = this.#turns;
    const mine = abortable(before, signal).then(work);
    // An aborted wait must not let the records behind it overtake those before it.
    this.#turns = Promise.allSettled([before, mine]).then(() => {
      this.#waiting -= 1;
    });
    return mine;
  }

  async #waitForRoom(weight: number, signal: AbortSignal | undefined): Promise<Permit> {
    this.#throwIfFailed();
    // The batch that is being filled must be sent: otherwise it would hold its room until its linger ends.
    this.#seal();
    const permit = await this.#room.acquire(weight, this.#signalWith(signal));
    if (this.#failure === undefined) return permit;
    permit.release();
    throw this.#failure.error;
  }

  #signalWith(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#stopped.signal : AbortSignal.any([this.#stopped.signal, signal]);
  }

  #add(weight: number): BatchOutcome {
    const outcome = this.#builder.add(weight);
    if (this.#builder.isComplete) this.#seal();
    else this.#cancelLinger ??= this.#connection.timers.startTimer(this.#lingerMs, () => this.#seal());
    return outcome;
  }

  /** Closes the batch that is being filled, if it has records. */
  #seal(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    if (!this.#builder.isEmpty) this.#outbox.push(this.#builder.take());
  }

  /** Never rejects: all promises that the publisher has returned reject with its failure. */
  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    try {
      for (;;) {
        while (this.#outbox.isEmpty && !this.#isSealed) await this.#outbox.change(signal);
        if (this.#outbox.isEmpty) return;
        try {
          await this.#runCall(signal);
          return;
        } catch (error) {
          signal.throwIfAborted();
          if (!isTransient(error)) throw error;
          this.#attempt += 1;
          const delayMs = Math.max(this.#waits.next(), error.retryDelayMs ?? 0);
          this.#options.onEvent?.({ type: "reconnecting", attempt: this.#attempt, delayMs, reason: error });
          await this.#connection.waitToRetry(delayMs, signal);
        }
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  async #runCall(signal: AbortSignal): Promise<void> {
    const id = this.producerId;
    this.#generation ??= await newGeneration(
      this.#connection,
      this.topic,
      { id, generation: this.#options.generation },
      signal,
    );
    const producer = { id, generation: this.#generation };
    await runPublishCall(
      this.#connection,
      {
        topic: this.topic,
        producer,
        epoch: this.#epoch,
        outbox: this.#outbox,
        isClosing: () => this.#isSealed,
        onAcknowledged: (batch, appended, mayRepeat) => this.#acknowledge(batch, appended, mayRepeat),
      },
      signal,
    );
  }

  #acknowledge(batch: OutgoingBatch, appended: Appended, mayRepeat: boolean): void {
    const { firstOffset, epoch, isRepeated } = appended;
    const error = this.#faultOf(batch, appended, mayRepeat);
    if (error !== undefined) {
      refuse(batch, error);
      throw error;
    }
    // Pins the topic's incarnation: a re-created topic must not receive the rest of the records.
    this.#epoch = epoch;
    this.#waits.reset();
    this.#attempt = 0;
    release(batch);
    // The server has the batch, so the transport no longer needs its buffer.
    this.#buffers.give(batch.fields);
    batch.outcome.acknowledge({ offset: firstOffset, epoch, isRepeated });
  }

  /** The error of an answer that does not confirm the batch; undefined if it does. */
  #faultOf(
    batch: OutgoingBatch,
    { firstOffset, nextOffset, isRepeated }: Appended,
    mayRepeat: boolean,
  ): ClientError | undefined {
    // Another publisher of this name and generation has used this sequence.
    if (isRepeated && !mayRepeat) return generationTaken(this.topic, this.producerId, this.#generation ?? 0);
    if (nextOffset - firstOffset === batch.outcome.records) return undefined;
    const got = `offsets ${firstOffset} to ${nextOffset} for ${batch.outcome.records} records`;
    return clientError("INTERNAL", `The server acknowledged a different batch than the one sent: ${got}`);
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#seal();
    this.#stopped.abort(error);
    for (const batch of this.#outbox.drain()) refuse(batch, error);
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #throwIfOver(): void {
    this.#throwIfFailed();
    if (this.#isClosing) throw clientError("FAILED_PRECONDITION", "Cannot publish: the publisher is closed");
  }
}

/** Marks a rejection as handled. */
function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}

function refuse(batch: OutgoingBatch, error: unknown): void {
  release(batch);
  batch.outcome.fail(error);
}

function release(batch: OutgoingBatch): void {
  for (const permit of batch.permits) permit.release();
}
