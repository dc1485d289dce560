import type { Appended, MillraceClient } from "../client/index.js";
import type { Stream } from "../streams/index.js";
import { appendBatches, isLastRecord } from "./append-batches.js";
import { type BatchCutter, cutBatches, type RowBatch } from "./batch-cutter.js";
import type { BadRowOptions, FileRow } from "./file-row.js";
import { type ProducerStanding, standingOf } from "./producer-standing.js";

export interface ImportOptions extends BadRowOptions {
  /**
   * Names this import, in 1 to 100 bytes. Run again with the same name, file and options, it continues where it
   * stopped. The server remembers the name for `--producer-idle-ms`, a day by default.
   */
  readonly producerId: string;
  /** Records per batch, the same in every run. Default 500; use less for a topic with a lower limit. */
  readonly batchRecords?: number | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ImportRowsOptions extends ImportOptions {
  readonly rows: Stream<FileRow>;
}

export interface ImportProgress {
  /** Records that this run has imported: they are durable. */
  readonly records: number;
  /** Records that earlier runs had imported. */
  readonly recordsBefore: number;
  /** The offset of this run's first record; undefined while there is none. */
  readonly firstOffset: number | undefined;
  /** The offset after the last record. */
  readonly nextOffset: number | undefined;
}

/** The file has changed since an earlier run of the import. */
export class ImportChangedError extends Error {
  override readonly name = "ImportChangedError";

  constructor(why: string) {
    super(`Cannot continue: ${why}. Import the file from the start under another name (--again)`);
  }
}

/** Below a producer's 128 bytes: later producers of an import append `+RECORDS` to its name. */
const producerIdBytesMax = 100;

/**
 * Imports rows into a topic, each once. After an interruption (a kill, a bad row, a lost server), the import is run
 * again and continues after the last record that the server has. Batches are cut by count and size alone, so the number
 * of stored batches tells which records are stored. If a run ended with a partial batch, the next run uses another
 * producer, whose name says after how many records it begins.
 */
export async function importRows(
  client: MillraceClient,
  topic: string,
  options: ImportRowsOptions,
): Promise<ImportProgress> {
  const { rows, producerId, signal, onProgress } = options;
  const idBytes = Buffer.byteLength(producerId);
  if (idBytes === 0 || idBytes > producerIdBytesMax) {
    throw new RangeError(`producerId: must have 1 to ${producerIdBytesMax} bytes, has ${idBytes}`);
  }
  const batches = cutBatches(rows, options);
  let progress: ImportProgress = { records: 0, recordsBefore: 0, firstOffset: undefined, nextOffset: undefined };
  const onAppended = ({ rows: { length } }: RowBatch, { firstOffset, nextOffset }: Appended) => {
    const { records, firstOffset: before = firstOffset } = progress;
    progress = { ...progress, records: records + length, firstOffset: before, nextOffset };
    onProgress?.(progress);
  };
  try {
    const resumed = await skipImported(client, topic, { batches, producerId, signal });
    progress = { ...progress, recordsBefore: resumed.recordsBefore };
    await appendBatches({ client, topic, batches, onAppended, signal, ...resumed });
    return progress;
  } finally {
    await batches.close();
  }
}

/** An import before its first batch. */
interface Begun {
  readonly batches: BatchCutter;
  readonly producerId: string;
  readonly signal: AbortSignal | undefined;
}

/** Where an import continues. */
interface Resumed {
  readonly producerId: string;
  readonly sequence: number;
  readonly epoch: number;
  readonly recordsBefore: number;
}

/** Skips the records that earlier runs have imported. */
async function skipImported(
  client: MillraceClient,
  topic: string,
  { batches, producerId, signal }: Begun,
): Promise<Resumed> {
  let recordsBefore = 0;
  for (let epoch = 0; ; ) {
    const id = recordsBefore === 0 ? producerId : `${producerId}+${recordsBefore}`;
    const standing = await standingOf(client, topic, id, signal);
    if (standing === undefined) return { producerId: id, sequence: 0, epoch, recordsBefore };
    ({ epoch } = standing);
    const { records, isWhole } = await skipBatches(client, topic, { batches, standing, recordsBefore, signal });
    recordsBefore += records;
    if (isWhole) return { producerId: id, sequence: standing.nextSequence, epoch, recordsBefore };
  }
}

interface Sent {
  readonly batches: BatchCutter;
  readonly standing: ProducerStanding;
  /** How many records the earlier producers have sent. */
  readonly recordsBefore: number;
  readonly signal: AbortSignal | undefined;
}

/** Skips the batches of one producer. `isWhole`: its last batch is full, so the producer can continue. */
async function skipBatches(
  client: MillraceClient,
  topic: string,
  { batches, standing, recordsBefore, signal }: Sent,
): Promise<{ readonly records: number; readonly isWhole: boolean }> {
  let records = 0;
  for (let sequence = 0; sequence < standing.nextSequence - 1; sequence++) {
    signal?.throwIfAborted();
    const batch = await batches.take();
    records += batch?.rows.length ?? 0;
    // The total is unknown: the server knows how many batches follow, but not their records.
    if (batch?.isFull !== true) throw await endedBefore(batches, recordsBefore + records, undefined);
  }
  const count = standing.nextOffset - standing.firstOffset;
  const last = await batches.take();
  const imported = last?.rows.slice(0, count) ?? [];
  if (imported.length < count && last?.isFull !== true) {
    const found = recordsBefore + records + imported.length;
    throw await endedBefore(batches, found, recordsBefore + records + count);
  }
  records += count;
  const isSame = await isLastRecord(client, topic, { ...standing, records: imported.map(({ record }) => record) });
  if (!isSame || last === undefined) {
    const before = recordsBefore + records;
    throw new ImportChangedError(
      `earlier runs imported at least ${before} records, but the file no longer begins with them`,
    );
  }
  batches.putBack(last.rows.slice(count));
  return { records, isWhole: last.isFull && last.rows.length === count };
}

/** The error for a file that ends before the imported records do: it has a bad row now, or has become shorter. */
async function endedBefore(batches: BatchCutter, found: number, before: number | undefined): Promise<Error> {
  try {
    await batches.take();
  } catch (error) {
    return error as Error;
  }
  const more = before === undefined ? "more" : `at least ${before}`;
  return new ImportChangedError(`the file now has ${found} records, but earlier runs imported ${more}`);
}
