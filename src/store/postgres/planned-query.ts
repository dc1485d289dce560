/**
 * Queries whose plan a connection keeps. COPY takes neither parameters nor a prepared statement, so that each would be parsed
 * and planned anew: a third of what Postgres does for a page of 256 KiB, and nearly all of it for a single record. A function
 * keeps its plan. It is of the connection alone, as a prepared statement is: it needs no migration, and two versions of a
 * node do not share it.
 */

import { inlineValue, type InlineValue, type Statement } from "./statement.js";

/** Where a connection keeps a query's plan, and how that is used. */
export interface PlannedQuery<Values = never> {
  readonly name: string;
  /** Makes the function. */
  readonly create: string;
  /** The query with its values. */
  call(values: Values): string;
}

type SqlType = "bigint" | "boolean" | "bytea";

interface QueryDefinition<Values> {
  readonly name: string;
  readonly statement: Statement<Values, unknown>;
  /** Those of the statement's values. */
  readonly types: { readonly [Name in keyof Values]: string };
  /** The types of what it gives. */
  readonly columns: readonly SqlType[];
}

/** The plan is made for any values, as all of a session's (`session-settings.ts`). */
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
