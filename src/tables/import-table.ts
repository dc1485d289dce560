import type { Appended, MillraceClient } from "../client/index.js";
import {
  appendBatches,
  BatchCutter,
  type BadRowOptions,
  goodRows,
  ImportOvertakenError,
  readRecord,
  standingOf,
} from "../files/index.js";
import { flatMap, fromPull, map, type Stream, withSignal } from "../streams/index.js";
import type { JsonObject, RecordInput } from "../wire/index.js";
import { cellOfJson } from "./cell.js";
import { type ForeignDatabase, openForeignDatabase } from "./open-database.js";
import { recordMaker, type TableMapping } from "./row-record.js";
import { TableError } from "./table-error.js";
import { tableRows } from "./table-rows.js";
import { describeTable, type TableShape } from "./table-shape.js";

export interface TableOptions extends TableMapping, BadRowOptions {
  /** `postgres://…` of the database that has the table. It is only read. */
  readonly databaseUrl: string;
  /** As SQL writes it: `cities`, `public.cities`, `"Cities"`. */
  readonly table: string;
  /** The columns of a unique index, none of them null, in its order. Default: the primary key. */
  readonly orderBy?: readonly string[] | undefined;
}

export interface ImportTableOptions extends TableOptions {
  /** Names this import, in at most 128 bytes: run again it goes on behind the last row that the topic has of it. */
  readonly producerId: string;
  /** Records a batch. Default 500. */
  readonly batchRecords?: number | undefined;
  /** Told after each batch. */
  readonly onProgress?: ((progress: TableProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TableProgress {
  /** Records that this run has imported: they are durable. */
  readonly records: number;
  /** Where this run began: behind the row with these values of the order's columns; undefined: with the first. */
  readonly after: readonly string[] | undefined;
  /** How many rows the table has, as the database's planner thinks; undefined when it does not know. */
  readonly estimatedRows: number | undefined;
  /** The offset of this run's first record; undefined as long as there is none. */
  readonly firstOffset: number | undefined;
  /** The offset after the last record. */
  readonly nextOffset: number | undefined;
}

const batchBytes = 262_144;

/** Another run of the same import may be overtaken, or overtake this one, so often. */
const overtakenMax = 5;

/** A table's rows as records, in their order, as they are asked for: see `importTable`. */
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
      // What it was reading has nobody left to want it.
      db.destroy().catch(() => {});
    },
  });
  const rows = flatMap(shapes, (shape) =>
    tableRows({ db, shape, makeRecord: recordMaker(shape, options), after: undefined }),
  );
  return map(goodRows(rows, options), ({ record }) => record);
}

/**
 * Imports a table into a topic, one record a row: its columns are the `json` body, the columns of its order the key.
 * An import that broke off is run again: the server tells the last record that it has of it, whose body says which row
 * that was, so no row is lost and none comes twice, also after a kill. A run after a whole import takes what the table
 * has got behind its last row.
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
      const place = await placeOf(client, topic, shape, options);
      if (overtaken === 0) progress = { ...progress, after: place.after };
      try {
        await appendFrom(client, topic, { db, shape, options, place, tell });
        return progress;
      } catch (error) {
        // A run that was killed had one more batch on its way: this one begins again behind it.
        if (!(error instanceof ImportOvertakenError) || overtaken >= overtakenMax) throw error;
      }
    }
  } finally {
    await db.destroy();
  }
}

/** Where an import stands. */
interface Place {
  readonly sequence: number;
  readonly epoch: number;
  readonly after: readonly string[] | undefined;
}

async function placeOf(
  client: MillraceClient,
  topic: string,
  shape: TableShape,
  { producerId, signal }: ImportTableOptions,
): Promise<Place> {
  const standing = await standingOf(client, topic, producerId, signal);
  if (standing === undefined) return { sequence: 0, epoch: 0, after: undefined };
  const { epoch, nextOffset, nextSequence } = standing;
  const record = await readRecord(client, topic, { epoch, offset: nextOffset - 1 });
  if (record === undefined) {
    const why = `its last record, at offset ${nextOffset - 1}, is no longer kept, and it told which row was the last`;
    throw new TableError(`Cannot go on with this import: ${why}. Import the table anew under another name (--again)`);
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
  const { signal } = options;
  const all = tableRows({ db, shape, makeRecord: recordMaker(shape, options), after: place.after });
  const rows = goodRows(signal === undefined ? all : withSignal(all, signal), options);
  const batches = new BatchCutter(rows, { batchRecords: options.batchRecords ?? 500, batchBytes });
  try {
    await appendBatches({
      client,
      topic,
      producerId: options.producerId,
      sequence: place.sequence,
      epoch: place.epoch,
      batches,
      onAppended: (batch, appended) => tell(appended, batch.rows.length),
      signal,
    });
  } finally {
    await batches.close();
  }
}
