import { type Stream, withSignal } from "../streams/index.js";
import { type BadRowOptions, type FileRow, type GoodRow, goodRows } from "./file-row.js";

/** Rows that are sent together. */
export interface RowBatch {
  readonly rows: readonly GoodRow[];
  /** Whether the batch has reached its size. Only the last one before the end or an error has not. */
  readonly isFull: boolean;
}

export interface CutOptions extends BadRowOptions {
  readonly batchRecords?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes per batch, well below every server's limit. */
const batchBytes = 262_144;

/** Cuts the good rows of an import into batches. */
export function cutBatches(rows: Stream<FileRow>, options: CutOptions): BatchCutter {
  const { batchRecords = 500, signal } = options;
  const good = goodRows(signal === undefined ? rows : withSignal(rows, signal), options);
  return new BatchCutter(good, { batchRecords, batchBytes });
}

export interface BatchSize {
  readonly batchRecords: number;
  readonly batchBytes: number;
}

/**
 * Cuts rows into batches by number and size alone, never by time. The same rows always make the same batches, so a
 * later run of an import knows what each batch held. An error is thrown after the batch of the rows before it.
 */
export class BatchCutter {
  readonly #rows: Stream<GoodRow>;
  readonly #size: BatchSize;
  /** Rows that were read and belong to a later batch, in order. */
  #waiting: GoodRow[] = [];
  #failure: { readonly error: unknown } | undefined;
  #hasEnded = false;

  constructor(rows: Stream<GoodRow>, size: BatchSize) {
    this.#rows = rows;
    this.#size = size;
  }

  /** The next batch; undefined at the end. */
  async take(): Promise<RowBatch | undefined> {
    const rows: GoodRow[] = [];
    let bytes = 0;
    for (;;) {
      const row = this.#waiting.shift() ?? (await this.#pull());
      if (row === undefined) break;
      if (rows.length > 0 && bytes + row.bytes > this.#size.batchBytes) {
        this.#waiting.unshift(row);
        return { rows, isFull: true };
      }
      rows.push(row);
      bytes += row.bytes;
      if (rows.length === this.#size.batchRecords) return { rows, isFull: true };
    }
    if (rows.length > 0) return { rows, isFull: false };
    if (this.#failure !== undefined) throw this.#failure.error;
    return undefined;
  }

  /** Puts rows of the last batch back, for the next one. */
  putBack(rows: readonly GoodRow[]): void {
    this.#waiting = [...rows, ...this.#waiting];
  }

  async close(): Promise<void> {
    await this.#rows.close();
  }

  async #pull(): Promise<GoodRow | undefined> {
    if (this.#hasEnded || this.#failure !== undefined) return undefined;
    try {
      const { done, value } = await this.#rows.next();
      if (done !== true) return value;
      this.#hasEnded = true;
    } catch (error) {
      this.#failure = { error };
    }
    return undefined;
  }
}
