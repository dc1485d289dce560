import { InvalidArgumentError, type Appended, type MillraceClient } from "../client/index.js";
import { first } from "../streams/index.js";
import type { RecordInput } from "../wire/index.js";
import type { BatchCutter, RowBatch } from "./batch-cutter.js";
import { FileFormatError } from "./file-format-error.js";
import { encodedRecord, type GoodRow } from "./file-row.js";

/** Another run of the same import has appended something else than this one was about to. */
export class ImportOvertakenError extends Error {
  override readonly name = "ImportOvertakenError";

  constructor(topic: string) {
    super(`Another run of this import is at work in topic "${topic}": let it end, then run this one again`);
  }
}

export interface AppendBatchesOptions {
  readonly client: MillraceClient;
  readonly topic: string;
  readonly producerId: string;
  /** The sequence of the first batch. */
  readonly sequence: number;
  /** The topic's incarnation; 0 as long as it is not known. */
  readonly epoch: number;
  readonly batches: BatchCutter;
  readonly onAppended: (batch: RowBatch, appended: Appended) => void;
  readonly signal: AbortSignal | undefined;
}

/** A server that is away for longer ends the import; it goes on when it is run again. */
const appendTimeoutMs = 60_000;

/**
 * Appends batch after batch, each once: under a producer's sequence, so that a retry is a repeat. One is on its way
 * while the next one is read. Ends with the error that the rows end with, after the batches before it.
 */
export async function appendBatches(options: AppendBatchesOptions): Promise<void> {
  const { client, topic, producerId, batches, onAppended, signal } = options;
  let { sequence, epoch } = options;
  const take = () => {
    const coming = batches.take();
    // Nobody may be left to hear of it when an append fails first.
    coming.catch(() => {});
    return coming;
  };
  let coming = take();
  for (;;) {
    signal?.throwIfAborted();
    const batch = await coming;
    if (batch === undefined) return;
    coming = take();
    const producer = { id: producerId, generation: 0, sequence };
    const records = batch.rows.map(({ record }) => record);
    try {
      const appended = await client.append(topic, records, { producer, epoch, timeoutMs: appendTimeoutMs, signal });
      // A repeat may be this run's own, of which the answer was lost, or that of a run which was killed.
      if (appended.isRepeated && !(await isLastRecord(client, topic, appended, records))) {
        throw new ImportOvertakenError(topic);
      }
      epoch = appended.epoch;
      onAppended(batch, appended);
    } catch (error) {
      throw refusedRow(error, batch.rows);
    }
    sequence += 1;
  }
}

/** Whether what the topic holds before `nextOffset` is the last of these records. One that is no longer kept counts as it. */
export async function isLastRecord(
  client: MillraceClient,
  topic: string,
  {
    firstOffset,
    nextOffset,
    epoch,
  }: { readonly firstOffset: number; readonly nextOffset: number; readonly epoch: number },
  records: readonly RecordInput[],
): Promise<boolean> {
  const last = records.at(-1);
  if (last === undefined || nextOffset - firstOffset !== records.length) return false;
  const stored = await readRecord(client, topic, { epoch, offset: nextOffset - 1 });
  return stored === undefined || encodedRecord(stored).equals(encodedRecord(last));
}

/** The record at an offset; undefined when it is no longer kept. */
export async function readRecord(
  client: MillraceClient,
  topic: string,
  position: { readonly epoch: number; readonly offset: number },
): Promise<RecordInput | undefined> {
  const { epoch, offset } = position;
  const options = { start: { position }, until: { offset: offset + 1 }, limit: 1, whenTrimmed: "skip" } as const;
  const record = await first(client.read(topic, options));
  return record?.offset === offset && epoch !== 0 ? record : undefined;
}

/** What the server refuses of a batch is told with its place in the file. */
function refusedRow(error: unknown, rows: readonly GoodRow[]): unknown {
  if (!(error instanceof InvalidArgumentError)) return error;
  const [violation] = error.violations;
  const [, index, field = ""] = /^records\[(\d+)\]\.?(.*)$/.exec(violation?.field ?? "") ?? [];
  const row = index === undefined ? undefined : rows[Number(index)];
  if (row === undefined || violation === undefined) return error;
  return new FileFormatError(row.where, `${field} ${violation.description}`.trim(), error);
}
