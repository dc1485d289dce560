/** Selected columns that the builder and `sql` share. */

import { type AliasedExpression, type Expression, type RawBuilder, type SqlBool, sql } from "kysely";

/** A selection as `sql` writes it. */
export function asList(selection: readonly AliasedExpression<unknown, string>[]): RawBuilder<unknown> {
  return sql.join(selection.map(({ expression, alias }) => sql`${expression} as ${sql.ref(alias as string)}`));
}

/** Bytes as base64 in one line: pg reads bytea as hex. */
export function base64Of(bytes: Expression<Buffer>): RawBuilder<string> {
  return sql<string>`translate(encode(${bytes}, 'base64'), E'\\n', '')`;
}

/** The database's time that many milliseconds from now. */
export function timeIn(ms: Expression<number>): RawBuilder<Date> {
  return sql<Date>`clock_timestamp() + ${ms} * interval '1 millisecond'`;
}

/** Whether a column is one of a list's. */
export function isAnyOf(column: Expression<unknown>, list: Expression<unknown>): RawBuilder<SqlBool> {
  return sql<SqlBool>`${column} = any(${list})`;
}

/** A time as microseconds since 1970. */
export function microsOf(time: Expression<Date>): RawBuilder<number> {
  return sql<number>`(extract(epoch from ${time}) * 1000000)::bigint`;
}
