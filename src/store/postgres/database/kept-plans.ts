/** Which plans a connection keeps (`planned-query.ts`). */

import type pg from "pg";

/** A query that is run by COPY. */
export interface CopyQuery {
  /** With its values in it. */
  text(): string;
  /** The same by a function that keeps its plan. */
  readonly planned?: { readonly name: string; readonly create: string; call(): string } | undefined;
}

/** By connection: whether it has each function, or may not make it. */
const plans = new WeakMap<pg.ClientBase, Map<string, boolean>>();

/** Those of a user that may make no temporary objects (insufficient_privilege, read_only_sql_transaction). */
const refusals = new Set(["42501", "25006"]);

/**
 * Whether a connection keeps the plan of a query, which is made when it is first wanted: but not in a transaction, which may
 * be rolled back, and the function with it. Where it may not be made the query is planned each time.
 *
 * It runs for every page, so its four parameters are not an object.
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
