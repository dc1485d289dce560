import type { Database } from "../database/database.js";
import { explainStatement, type Statement } from "../statement.js";

/** What the database would do for a statement with these values, in its own words. Nothing is run, nothing is locked. */
export async function explainPlan<Values>(
  database: Database,
  statement: Statement<Values, unknown>,
  values: Values,
): Promise<string> {
  const lines = await database.run(explainStatement(statement), values);
  return lines.map((line) => line["QUERY PLAN"]).join("\n");
}
