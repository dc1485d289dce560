/**
 * Every query that gives frames, of the log or of a state: one shape for both databases, run by COPY, and one way to
 * explain it. Its rows begin with the columns of a head; a row of a later part of a UNION leaves them null.
 */

import type { Head } from "../../topic-store.js";
import { copiedInteger, type CopyField } from "../database/copy-row.js";
import type { Database, Session } from "../database/database.js";
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

/** How many fields a head takes: those of `headColumns`, in their order. */
const headFields = 12;

/** A row of a frame query. */
export interface FrameRow {
  /** Behind the head's columns. */
  integer(index: number): number | null;
  flag(index: number): boolean;
  text(index: number): string | null;
  /** A view: copied, or lost. */
  bytes(index: number): Buffer | null;
}

/** A query that gives frames; its plan is kept where that does not depend on its values. */
export interface FrameQuery<Values> extends Statement<Values, unknown> {
  readonly planned?: PlannedQuery<Values>;
}

/** The columns of a head. */
const headTypes = [
  ...Array.from({ length: 8 }, () => "bigint" as const),
  "boolean",
  "boolean",
  "bigint",
  "boolean",
] as const;

/** Prepares a query over the log: its rows come by `blocks_pkey` whatever its values are. `columns`: those behind a head's. */
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
 * Runs a query and gives its first row's head, and every row to `onRow`. Undefined: there is no row, so no topic.
 *
 * It runs for every page, so its four parameters are not an object.
 */
export async function queryFrames<Values extends InlineValues<Values>>(
  session: Pick<Session, "copy">,
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
  await session.copy(copied, (fields) => {
    head ??= decodeHead(fields);
    onRow(rowOf(fields), head);
  });
  return head;
}

/** What the database would do for a query with these values, in its own words. Nothing is run, nothing is locked. */
export async function explainFrames<Values>(
  database: Database,
  statement: Statement<Values, unknown>,
  values: Values,
): Promise<string> {
  // COPY cannot be explained; the query in it is the same.
  const lines = await database.run(explainStatement(statement), values);
  return lines.map((line) => line["QUERY PLAN"]).join("\n");
}

/** A view's bytes in a buffer of their own. */
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
