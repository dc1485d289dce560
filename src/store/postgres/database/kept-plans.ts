/** Which query plans a connection keeps (`planned-query.ts`). */

import type pg from "pg";

/** A query that runs by COPY. */
export interface CopyQuery {
  /** The query's text with its values. */
  text(): string;
  /** The same query as a function that keeps its plan. */
  readonly planned?: { readonly name: string; readonly create: string; call(): string } | undefined;
}

/** By connection: whether it has each function (true), or may not create it (false). */
const plans = new WeakMap<pg.ClientBase, Map<string, boolean>>();

/** Errors of a user who may not create temporary objects (insufficient_privilege, read_only_sql_transaction). */
const refusals = new Set(["42501", "25006"]);

/**
 * Whether a connection keeps the plan of a query. The first use creates the function, but not in a transaction, whose
 * rollback would remove it. Where it cannot be created, the query is planned each time.
 *
 * Positional parameters: runs for every page.
 */
export async function keptPlan(
  client: pg.ClientBase,
  { planned }: CopyQuery,
  isInTransaction: boolean,
  run: (text: string) => Promise<unknown>,
): Promise<boolean> {
  if (planned === undefined) return false;
  let known = plans.get(client);
  if (known === undefined) plans.set(client, (known = new Map()));
  const isKept = known.get(planned.name);
  if (isKept !== undefined || isInTransaction) return isKept === true;
  try {
    await run(planned.create);
  } catch (error) {
    if (!refusals.has((error as { code?: string }).code ?? "")) throw error;
    known.set(planned.name, false);
    return false;
  }
  known.set(planned.name, true);
  return true;
}
