import { InvalidArgumentError, type Appended, type MillraceClient } from "../client/index.js";
import { first } from "../streams/index.js";
import type { RecordInput } from "../wire/index.js";
import type { BatchCutter, RowBatch } from "./batch-cutter.js";
import { FileFormatError } from "./file-format-error.js";
import { encodedRecord, type GoodRow } from "./file-row.js";

/** Another run of the same import has appended other records under the same sequence. */
export class ImportOvertakenError extends Error {
  override readonly name = "ImportOvertakenError";

  constructor(topic: string) {
    super(`Another run of this import is running in topic "${topic}": wait until it ends, then run this one again`);
  }
}

export interface AppendBatchesOptions {
  readonly client: MillraceClient;
  readonly topic: string;
  readonly producerId: string;
  /** The sequence of the first batch. */
  readonly sequence: number;
  /** The topic's incarnation; 0 while unknown. */
  readonly epoch: number;
  readonly batches: BatchCutter;
  readonly onAppended: (batch: RowBatch, appended: Appended) => void;
  readonly signal: AbortSignal | undefined;
}

/** If the server is away for longer, the import ends with an error. Run again, it continues. */
const appendTimeoutMs = 60_000;

/**
 * Appends the batches one after the other, each exactly once: a producer's sequence makes retries safe. While one is
 * sent, the next one is read. If the rows end with an error, it appends the batches before the error and then throws
 * it.
 */
export async function appendBatches(options: AppendBatchesOptions): Promise<void> {
  const { client, topic, producerId, batches, onAppended, signal } = options;
  let { sequence, epoch } = options;
  const take = () => {
    const next = batches.take();
    // If an append fails first, nobody awaits this promise.
    next.catch(() => {});
    return next;
  };
  let next = take();
  for (;;) {
    signal?.throwIfAborted();
    const batch = await next;
    if (batch === undefined) return;
    next = take();
    const producer = { id: producerId, generation: 0, sequence };
    const records = batch.rows.map(({ record }) => record);
    try {
      const appended = await client.append(topic, records, { producer, epoch, timeoutMs: appendTimeoutMs, signal });
      // A repeat is of this run, whose answer was lost, or of another run, which may have been killed.
      if (appended.isRepeated && !(await isLastRecord(client, topic, { ...appended, records }))) {
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

/** A batch, and where the server has appended it. */
interface AppendedBatch {
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly epoch: number;
  readonly records: readonly RecordInput[];
}

/**
 * Whether the stored record before `nextOffset` equals the last of `records`. One that is no longer kept counts as
 * equal.
 */
export async function isLastRecord(
  client: MillraceClient,
  topic: string,
  { firstOffset, nextOffset, epoch, records }: AppendedBatch,
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

/** The server's refusal of a record, as an error that names the record's place in the file. */
function refusedRow(error: unknown, rows: readonly GoodRow[]): unknown {
  if (!(error instanceof InvalidArgumentError)) return error;
  const [violation] = error.violations;
  const [, index, field = ""] = /^records\[(\d+)\]\.?(.*)$/.exec(violation?.field ?? "") ?? [];
  const row = index === undefined ? undefined : rows[Number(index)];
  if (row === undefined || violation === undefined) return error;
  return new FileFormatError(row.where, `${field} ${violation.description}`.trim(), error);
}
