import type { Appended, MillraceClient } from "../client/index.js";
import { type Stream, withSignal } from "../streams/index.js";
import { appendBatches, isLastRecord } from "./append-batches.js";
import { BatchCutter, type RowBatch } from "./batch-cutter.js";
import { type BadRowOptions, type FileRow, goodRows } from "./file-row.js";
import { type ProducerStanding, standingOf } from "./producer-standing.js";

export interface ImportOptions extends BadRowOptions {
  /**
   * Names this import, in at most 100 bytes: run again with the same name, file and options it goes on where it stood,
   * as long as the server remembers it (a day, unless told otherwise: `--producer-idle-ms`).
   */
  readonly producerId: string;
  /** Records a batch, the same in every run. Default 500; a topic with smaller batches wants fewer. */
  readonly batchRecords?: number | undefined;
  /** Told after each batch. */
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ImportProgress {
  /** Records that this run has imported: they are durable. */
  readonly records: number;
  /** Records that earlier runs had imported. */
  readonly recordsBefore: number;
  /** The offset of this run's first record; undefined as long as there is none. */
  readonly firstOffset: number | undefined;
  /** The offset after the last record. */
  readonly nextOffset: number | undefined;
}

/** The file is not what an earlier run of the import has read. */
export class ImportChangedError extends Error {
  override readonly name = "ImportChangedError";

  constructor(why: string) {
    super(`Cannot go on: ${why}. Import it anew under another name (--again)`);
  }
}

/** Bytes a batch, well below what every server takes. */
const batchBytes = 262_144;

/** The producers of a chain are named after the first, and where each begins. */
const producerIdBytesMax = 100;

/**
 * Imports rows into a topic, each once: an import that broke off, by a kill, a bad row or a server that went away, is
 * run again, and goes on behind the last record that the server has. Its batches are cut by count and size alone, so
 * the number of those that arrived tells which records did; a run that ended in the middle of one is followed by a
 * producer of its own, named after where it begins.
 */
export async function importRows(
  client: MillraceClient,
  topic: string,
  rows: Stream<FileRow>,
  options: ImportOptions,
): Promise<ImportProgress> {
  const { producerId, signal, onProgress, batchRecords = 500 } = options;
  const idBytes = Buffer.byteLength(producerId);
  if (idBytes === 0 || idBytes > producerIdBytesMax) {
    throw new RangeError(`producerId: must have 1 to ${producerIdBytesMax} bytes, has ${idBytes}`);
  }
  const batches = new BatchCutter(goodRows(signal === undefined ? rows : withSignal(rows, signal), options), {
    batchRecords,
    batchBytes,
  });
  let progress: ImportProgress = { records: 0, recordsBefore: 0, firstOffset: undefined, nextOffset: undefined };
  const onAppended = ({ rows: { length } }: RowBatch, { firstOffset, nextOffset }: Appended) => {
    const { records, firstOffset: before = firstOffset } = progress;
    progress = { ...progress, records: records + length, firstOffset: before, nextOffset };
    onProgress?.(progress);
  };
  try {
    const resumed = await skipImported(client, topic, batches, options);
    progress = { ...progress, recordsBefore: resumed.recordsBefore };
    await appendBatches({ client, topic, batches, onAppended, signal, ...resumed });
    return progress;
  } finally {
    await batches.close();
  }
}

/** Where an import goes on. */
interface Resumed {
  readonly producerId: string;
  readonly sequence: number;
  readonly epoch: number;
  readonly recordsBefore: number;
}

/** Passes over what earlier runs have imported. */
async function skipImported(
  client: MillraceClient,
  topic: string,
  batches: BatchCutter,
  { producerId, signal }: ImportOptions,
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
  /** What the producers before it have sent. */
  readonly recordsBefore: number;
  readonly signal: AbortSignal | undefined;
}

/** Passes over what one producer has sent. Whole: its last batch is what it would be today. */
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
    // How many there were is not known: of the batches between this one and the last, the server knows the number alone.
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
  const isSame = await isLastRecord(
    client,
    topic,
    standing,
    imported.map(({ record }) => record),
  );
  if (!isSame || last === undefined) {
    const before = recordsBefore + records;
    throw new ImportChangedError(
      `earlier runs imported at least ${before} records, and the file no longer begins with them`,
    );
  }
  batches.putBack(last.rows.slice(count));
  return { records, isWhole: last.isFull && last.rows.length === count };
}

/** Why rows have ended among those that were imported: they are bad now, or they are gone. */
async function endedBefore(batches: BatchCutter, found: number, before: number | undefined): Promise<Error> {
  try {
    await batches.take();
  } catch (error) {
    return error as Error;
  }
  const more = before === undefined ? "more than that" : `at least ${before}`;
  return new ImportChangedError(`the file has ${found} records now, and earlier runs imported ${more}`);
}
