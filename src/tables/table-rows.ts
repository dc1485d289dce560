import { sql } from "kysely";
import { type FileRow, makeRow } from "../files/index.js";
import { abortable, flatMap, fromPull, pipe, prefetch, type Stream } from "../streams/index.js";
import type { ForeignDatabase } from "./open-database.js";
import type { TextRow } from "./row-record.js";
import type { RecordInput } from "../wire/index.js";
import type { Column, TableShape } from "./table-shape.js";

export interface TableRowsOptions {
  readonly db: ForeignDatabase;
  readonly shape: TableShape;
  readonly makeRecord: (row: TextRow, where: string) => RecordInput;
  /** Begins after the row with these values in the order's columns. Undefined: with the first row. */
  readonly after: readonly string[] | undefined;
}

/** A page has up to this many rows, fewer when they are large. Two pages are held. */
const pageRowsMax = 1000;
const pageBytesMax = 8 * 1_048_576;

/**
 * The rows of a table in its order, by keyset: each page begins after the last row of the one before, so all pages cost
 * the same. Each page is its own statement, so rows that are written meanwhile may be included. A row whose place in
 * the order does not change is read once. One page is read ahead.
 */
export function tableRows({ db, shape, makeRecord, after }: TableRowsOptions): Stream<FileRow> {
  let position = after;
  let isOver = false;
  let limit = 100;
  const pages = fromPull<readonly TextRow[]>({
    async pull(signal) {
      if (isOver) return { done: true, value: undefined };
      const rows = await abortable(readPage(db, shape, { after: position, limit }), signal);
      const last = rows.at(-1);
      isOver = rows.length < limit;
      if (last === undefined) return { done: true, value: undefined };
      position = shape.order.map(({ name }) => last[name] as string);
      limit = Math.max(1, Math.min(pageRowsMax, Math.floor(pageBytesMax / Math.max(1, largest(rows)))));
      return { done: false, value: rows };
    },
  });
  return pipe(
    pages,
    prefetch(1),
    flatMap(function* (rows) {
      for (const row of rows) {
        const place = shape.order.map(({ name }) => `${name} ${row[name]}`).join(", ");
        const where = `${shape.name}: row ${place}`;
        yield makeRow(where, () => makeRecord(row, where));
      }
    }),
  );
}

/** Characters of the longest row. */
function largest(rows: readonly TextRow[]): number {
  let max = 0;
  for (const row of rows) {
    let size = 0;
    for (const name in row) size += row[name]?.length ?? 0;
    max = Math.max(max, size);
  }
  return max;
}

async function readPage(
  db: ForeignDatabase,
  { name, columns, order }: TableShape,
  { after, limit }: { readonly after: readonly string[] | undefined; readonly limit: number },
): Promise<readonly TextRow[]> {
  const list = sql.join(order.map((column) => sql.id(column.name)));
  const behind =
    after === undefined
      ? sql``
      : sql`where (${list}) > (${sql.join(order.map(({ type }, at) => sql`cast(${after[at]} as ${sql.raw(type)})`))})`;
  const { rows } = await sql<TextRow>`
select ${sql.join(columns.map(selected))} from ${sql.raw(name)} ${behind} order by ${list} limit ${limit}`.execute(db);
  return rows;
}

function selected({ name, kind }: Column) {
  const column = sql.id(name);
  if (kind === "nested") return sql`to_jsonb(${column}) as ${column}`;
  return kind === "text-list" ? sql`to_jsonb(${column}::text[]) as ${column}` : column;
}
