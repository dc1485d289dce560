/** Selected columns that the builder and `sql` share. */

import { type AliasedExpression, type Expression, type RawBuilder, type SqlBool, sql } from "kysely";

/** A selection as a list for `sql`. */
export function asList(selection: readonly AliasedExpression<unknown, string>[]): RawBuilder<unknown> {
  return sql.join(selection.map(({ expression, alias }) => sql`${expression} as ${sql.ref(alias as string)}`));
}

/** Bytes as base64 without line breaks. pg would read bytea as hex, which is longer. */
export function base64Of(bytes: Expression<Buffer>): RawBuilder<string> {
  return sql<string>`translate(encode(${bytes}, 'base64'), E'\\n', '')`;
}

/** The database's time, `ms` milliseconds from now. */
export function timeIn(ms: Expression<number>): RawBuilder<Date> {
  return sql<Date>`clock_timestamp() + ${ms} * interval '1 millisecond'`;
}

/** Whether a column equals an element of a list. */
export function isAnyOf(column: Expression<unknown>, list: Expression<unknown>): RawBuilder<SqlBool> {
  return sql<SqlBool>`${column} = any(${list})`;
}

/** A time as microseconds since 1970. */
export function microsOf(time: Expression<Date>): RawBuilder<number> {
  return sql<number>`(extract(epoch from ${time}) * 1000000)::bigint`;
}
