/**
 * The rows of a table in the order of a unique column, a page at a time. Each page begins behind the last row of the one
 * before (keyset), so the millionth costs what the first did; OFFSET would read everything before it again.
 */

import pg from "pg";
import { type Stream, unfold } from "millrace/streams";

export interface TableOptions {
  readonly table: string;
  /** A column that is unique and not null, best with an index. */
  readonly orderBy: string;
  /** Begins behind this value. */
  readonly after: string | undefined;
  readonly pageRows: number;
}

export type Row = Readonly<Record<string, unknown>>;

/** Pages of rows: one is read when it is asked for, and not before. */
export function readTable(
  client: pg.Client,
  { table, orderBy, after, pageRows }: TableOptions,
): Stream<readonly Row[]> {
  const column = pg.escapeIdentifier(orderBy);
  const from = table
    .split(".")
    .map((name) => pg.escapeIdentifier(name))
    .join(".");
  return unfold<string | undefined, readonly Row[]>(after, async (last) => {
    const where = last === undefined ? "" : `where ${column} > $2`;
    const { rows } = await client.query<Row>(
      `select * from ${from} ${where} order by ${column} limit $1`,
      last === undefined ? [pageRows] : [pageRows, last],
    );
    const end = rows.at(-1);
    return end === undefined ? undefined : { item: rows, state: String(end[orderBy]) };
  });
}
