import type { Stream } from "../streams/index.js";
import type { GoodRow } from "./file-row.js";

/** Rows that are sent together. */
export interface RowBatch {
  readonly rows: readonly GoodRow[];
  /** Whether it has all that a batch may have; only the last one before the end, or before an error, has not. */
  readonly isFull: boolean;
}

export interface BatchSize {
  readonly batchRecords: number;
  readonly batchBytes: number;
}

/**
 * Cuts rows into batches by their number and size alone, never by time: the same rows make the same batches again, so
 * that an import which is run again knows what each of its batches held. An error comes behind the batch of the rows
 * before it.
 */
export class BatchCutter {
  readonly #rows: Stream<GoodRow>;
  readonly #size: BatchSize;
  /** Rows that were taken and belong to a later batch, next one first. */
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

  /** Rows of the last batch that are to come again. */
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
