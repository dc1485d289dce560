/**
 * Every query that returns frames, of the log or of a state: one shape for both databases, run by COPY, with one way to
 * explain it. Its rows begin with the columns of a head, which are null in the rows of a later part of a UNION.
 */

import type { Head } from "../../topic-store.js";
import { copiedInteger, type CopyField } from "../database/copy-row.js";
import type { Database, Connection } from "../database/database.js";
import { type PlannedQuery, planQuery } from "../planned-query.js";
import {
  explainStatement,
  type InlineValue,
  inlineValues,
  type ParameterTypes,
  prepareStatement,
  type Statement,
  type StatementValues,
} from "../statement.js";

type InlineValues<Values> = { readonly [Name in keyof Values]: InlineValue };

/** The number of `headColumns`. */
const headFields = 12;

/** A row of a frame query. */
export interface FrameRow {
  /** `index` counts from the first column after the head's. */
  integer(index: number): number | null;
  flag(index: number): boolean;
  text(index: number): string | null;
  /** A view, valid until the next row: copy what you keep. */
  bytes(index: number): Buffer | null;
}

/** A query that returns frames. `planned`: its plan does not depend on its values, and is kept. */
export interface FrameQuery<Values> extends Statement<Values, unknown> {
  readonly planned?: PlannedQuery<Values>;
}

/** The types of `headColumns`. */
const headTypes = [
  ...Array.from({ length: 8 }, () => "bigint" as const),
  "boolean",
  "boolean",
  "bigint",
  "boolean",
] as const;

/**
 * Prepares a query on the log, which uses `blocks_pkey` for any values. `columns`: the types after the head's columns.
 */
export function prepareLogQuery<const Types extends ParameterTypes>(definition: {
  readonly name: string;
  readonly values: Types;
  readonly columns: readonly ("bigint" | "bytea")[];
  readonly build: Parameters<typeof prepareStatement<Types, object>>[0]["build"];
}): FrameQuery<StatementValues<Types>> {
  const { name, values, columns, build } = definition;
  const statement = prepareStatement<Types, object>({ values, build });
  return {
    ...statement,
    planned: planQuery({
      name: `millrace_${name}`,
      statement: statement as never,
      types: values as never,
      columns: [...headTypes, ...columns],
    }),
  };
}

/**
 * Runs a query, passes every row to `onRow`, and returns the head of the first row. Undefined: no row, so no topic.
 *
 * Positional parameters: runs for every page.
 */
export async function queryFrames<Values extends InlineValues<Values>>(
  connection: Pick<Connection, "copy">,
  query: FrameQuery<Values>,
  values: Values,
  onRow: (row: FrameRow, head: Head) => void,
): Promise<Head | undefined> {
  let head: Head | undefined;
  const { planned } = query;
  const copied = {
    text: () => inlineValues(query, values),
    planned: planned && { ...planned, call: () => planned.call(values) },
  };
  await connection.copy(copied, (fields) => {
    head ??= decodeHead(fields);
    onRow(rowOf(fields), head);
  });
  return head;
}

/** The database's plan for a query with these values. Runs and locks nothing. */
export async function explainFrames<Values>(
  database: Database,
  statement: Statement<Values, unknown>,
  values: Values,
): Promise<string> {
  // COPY cannot be explained: the query inside it can.
  const lines = await database.run(explainStatement(statement), values);
  return lines.map((line) => line["QUERY PLAN"]).join("\n");
}

/** Copies a view into a buffer of its own. */
export function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function rowOf(fields: readonly CopyField[]): FrameRow {
  return {
    integer: (index) => copiedInteger(fields, headFields + index),
    flag: (index) => fields[headFields + index]?.[0] === 1,
    text: (index) => fields[headFields + index]?.toString() ?? null,
    bytes: (index) => fields[headFields + index] ?? null,
  };
}

function decodeHead(fields: readonly CopyField[]): Head {
  const integer = (index: number) => copiedInteger(fields, index) ?? 0;
  const flag = (index: number) => fields[index]?.[0] === 1;
  return {
    topicId: integer(0),
    epoch: integer(1),
    version: integer(2),
    earliestOffset: integer(3),
    nextOffset: integer(4),
    earliestBytes: integer(5),
    nextBytes: integer(6),
    lastTimeMicros: integer(7),
    closed: flag(8),
    keyed: flag(9),
    tombstonesFrom: integer(10),
    expiring: flag(11),
  };
}
