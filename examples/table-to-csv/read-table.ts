/**
 * The rows of a table in the order of a unique column, a page at a time. Each page begins after the last row of the one
 * before (keyset), so the millionth page costs as much as the first; OFFSET would read everything before it again. Each
 * page is a statement of its own: concurrent writes to the table may be among the rows, and no row is repeated.
 */

import pg from "pg";
import { type Stream, unfold } from "millrace/streams";

export interface TableOptions {
  readonly table: string;
  /** A column that is unique and not null, with an index. */
  readonly orderBy: string;
  /** Begins after this value. */
  readonly after: string | undefined;
  readonly pageRows: number;
}

export interface Page {
  readonly rows: readonly (string | null)[][];
  /** The last row's value of the ordering column: where to continue. */
  readonly last: string;
}

/** Values in Postgres' text form: a Date has no microseconds, and a number not all digits. */
const asText = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig;

function nameOf(table: string): string {
  return table
    .split(".")
    .map((part) => pg.escapeIdentifier(part))
    .join(".");
}

export async function readColumns(client: pg.Client, table: string): Promise<string[]> {
  const { fields } = await client.query(`select * from ${nameOf(table)} limit 0`);
  return fields.map(({ name }) => name);
}

/** One page is read when it is requested, and not before. */
export function readTable(
  client: pg.Client,
  columns: readonly string[],
  { table, orderBy, after, pageRows }: TableOptions,
): Stream<Page> {
  const key = columns.indexOf(orderBy);
  if (key === -1) throw new Error(`${table} has no column "${orderBy}"`);
  const column = pg.escapeIdentifier(orderBy);
  return unfold<string | undefined, Page>(after, async (last) => {
    const where = last === undefined ? "" : `where ${column} > $2`;
    const { rows } = await client.query<(string | null)[]>({
      text: `select * from ${nameOf(table)} ${where} order by ${column} limit $1`,
      values: last === undefined ? [pageRows] : [pageRows, last],
      rowMode: "array",
      types: asText,
    });
    const end = rows.at(-1)?.[key];
    return typeof end === "string" ? { item: { rows, last: end }, state: end } : undefined;
  });
}
