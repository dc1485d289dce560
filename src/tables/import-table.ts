import type { Appended, MillraceClient } from "../client/index.js";
import {
  appendBatches,
  type BadRowOptions,
  cutBatches,
  goodRows,
  ImportOvertakenError,
  readRecord,
  standingOf,
} from "../files/index.js";
import { flatMap, fromPull, map, type Stream } from "../streams/index.js";
import type { JsonObject, RecordInput } from "../wire/index.js";
import { cellOfJson } from "./cell.js";
import { type ForeignDatabase, openForeignDatabase } from "./open-database.js";
import { recordMaker, type TableMapping } from "./row-record.js";
import { TableError } from "./table-error.js";
import { tableRows } from "./table-rows.js";
import { describeTable, type TableShape } from "./table-shape.js";

export interface TableOptions extends TableMapping, BadRowOptions {
  /** `postgres://…` of the database that has the table. The connection is read-only. */
  readonly databaseUrl: string;
  /** Written as in SQL: `cities`, `public.cities`, `"Cities"`. */
  readonly table: string;
  /** The not-null columns of a unique index, in its order. Default: the primary key. */
  readonly orderBy?: readonly string[] | undefined;
}

export interface ImportTableOptions extends TableOptions {
  /** Names this import, in 1 to 128 bytes. Run again, it continues after its last row in the topic. */
  readonly producerId: string;
  /** Records per batch. Default 500. */
  readonly batchRecords?: number | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((progress: TableProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TableProgress {
  /** Records that this run has imported: they are durable. */
  readonly records: number;
  /** This run began after the row with these values in the order's columns; undefined: with the first row. */
  readonly after: readonly string[] | undefined;
  /** The planner's estimate of the table's rows; undefined when there is none. */
  readonly estimatedRows: number | undefined;
  /** The offset of this run's first record; undefined while there is none. */
  readonly firstOffset: number | undefined;
  /** The offset after the last record. */
  readonly nextOffset: number | undefined;
}

/** How often this run starts over because another run of the same import has appended first. */
const overtakenMax = 5;

/** A table's rows as records, in their order, read as they are pulled. See `importTable`. */
export function recordsFromTable(options: TableOptions): Stream<RecordInput> {
  const db = openForeignDatabase(options.databaseUrl);
  let isOpen = true;
  const shapes = fromPull<TableShape>({
    async pull() {
      if (!isOpen) return { done: true, value: undefined };
      isOpen = false;
      return { done: false, value: await describeTable(db, options.table, options.orderBy) };
    },
    close() {
      // A statement that is still running fails then; nobody waits for its rows.
      db.destroy().catch(() => {});
    },
  });
  const rows = flatMap(shapes, (shape) =>
    tableRows({ db, shape, makeRecord: recordMaker(shape, options), after: undefined }),
  );
  return map(goodRows(rows, options), ({ record }) => record);
}

/**
 * Imports a table into a topic, one record per row: all columns are the `json` body, the columns of the order the key.
 * An interrupted import is run again, also after a kill. The body of its last record in the topic tells which row was
 * last, so no row is lost or imported twice. A run after a complete import takes the rows that were added after the
 * last one.
 */
export async function importTable(
  client: MillraceClient,
  topic: string,
  options: ImportTableOptions,
): Promise<TableProgress> {
  const db = openForeignDatabase(options.databaseUrl);
  try {
    const shape = await describeTable(db, options.table, options.orderBy);
    let progress: TableProgress = {
      records: 0,
      after: undefined,
      estimatedRows: shape.estimatedRows,
      firstOffset: undefined,
      nextOffset: undefined,
    };
    const tell = (appended: Appended, records: number) => {
      const { firstOffset = appended.firstOffset } = progress;
      progress = { ...progress, records: progress.records + records, firstOffset, nextOffset: appended.nextOffset };
      options.onProgress?.(progress);
    };
    for (let overtaken = 0; ; overtaken++) {
      const place = await placeOf(client, topic, { ...options, shape });
      if (overtaken === 0) progress = { ...progress, after: place.after };
      try {
        await appendFrom(client, topic, { db, shape, options, place, tell });
        return progress;
      } catch (error) {
        // A batch of a killed run was appended after `placeOf`: start over after that batch.
        if (!(error instanceof ImportOvertakenError) || overtaken >= overtakenMax) throw error;
      }
    }
  } finally {
    await db.destroy();
  }
}

/** Where an import continues. */
interface Place {
  readonly sequence: number;
  readonly epoch: number;
  readonly after: readonly string[] | undefined;
}

async function placeOf(
  client: MillraceClient,
  topic: string,
  { shape, producerId, signal }: ImportTableOptions & { readonly shape: TableShape },
): Promise<Place> {
  const standing = await standingOf(client, topic, producerId, signal);
  if (standing === undefined) return { sequence: 0, epoch: 0, after: undefined };
  const { epoch, nextOffset, nextSequence } = standing;
  const record = await readRecord(client, topic, { epoch, offset: nextOffset - 1 });
  if (record === undefined) {
    const why = `its last record, at offset ${nextOffset - 1}, would tell the last row, but is no longer kept`;
    throw new TableError(`Cannot continue: ${why}. Import the table from the start under another name (--again)`);
  }
  const json = (record.json ?? {}) as JsonObject;
  const after = shape.order.map(({ name, kind }) => cellOfJson(kind, json[name], name));
  return { sequence: nextSequence, epoch, after };
}

async function appendFrom(
  client: MillraceClient,
  topic: string,
  run: {
    readonly db: ForeignDatabase;
    readonly shape: TableShape;
    readonly options: ImportTableOptions;
    readonly place: Place;
    readonly tell: (appended: Appended, records: number) => void;
  },
): Promise<void> {
  const { db, shape, options, place, tell } = run;
  const rows = tableRows({ db, shape, makeRecord: recordMaker(shape, options), after: place.after });
  const batches = cutBatches(rows, options);
  try {
    await appendBatches({
      client,
      topic,
      producerId: options.producerId,
      sequence: place.sequence,
      epoch: place.epoch,
      batches,
      onAppended: (batch, appended) => tell(appended, batch.rows.length),
      signal: options.signal,
    });
  } finally {
    await batches.close();
  }
}
