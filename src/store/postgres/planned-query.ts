/**
 * Queries whose plan a connection keeps. COPY takes neither parameters nor prepared statements, so each query would be
 * parsed and planned again: a third of Postgres' work for a page of 256 KiB, and nearly all of it for a single record.
 * A temporary function keeps its plan. It belongs to the connection, as a prepared statement does: it needs no
 * migration, and nodes of two versions do not share it.
 */

import { inlineValue, type InlineValue, type Statement } from "./statement.js";

/** A query whose plan a connection keeps in a function. */
export interface PlannedQuery<Values = never> {
  readonly name: string;
  /** Creates the function. */
  readonly create: string;
  /** Calls it with values. */
  call(values: Values): string;
}

type SqlType = "bigint" | "boolean" | "bytea";

interface QueryDefinition<Values> {
  readonly name: string;
  readonly statement: Statement<Values, unknown>;
  /** The types of the statement's values. */
  readonly types: { readonly [Name in keyof Values]: string };
  /** The types of the result's columns. */
  readonly columns: readonly SqlType[];
}

/** The plan is made for any values, as all plans of a connection (`connection-settings.ts`). */
export function planQuery<Values extends Readonly<Record<keyof Values, InlineValue>>>(
  definition: QueryDefinition<Values>,
): PlannedQuery<Values> {
  const { name, statement, types, columns } = definition;
  const typeOf = (value: keyof Values) => types[value].replace(" or null", "");
  const result = columns.map((type, index) => `c${index + 1} ${type}`).join(", ");
  return {
    name,
    create: `create or replace function pg_temp.${name}(${statement.order.map(typeOf).join(", ")}) returns table (${result})
language plpgsql stable
as $millrace$
#variable_conflict use_column
begin
return query
${statement.text};
end
$millrace$`,
    call: (values) => {
      const given = statement.order.map((each) => `cast(${inlineValue(values[each], each)} as ${typeOf(each)})`);
      return `select * from pg_temp.${name}(${given.join(", ")})`;
    },
  };
}
