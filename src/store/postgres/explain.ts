import type { ExplainedRead } from "../store.js";
import type { Database } from "./database/database.js";
import { explainPage } from "./log/read-page.js";
import { explainStateChanges } from "./state/read-state.js";
import { explainPageSearch } from "./log/search-page.js";
import { explainStateSearch } from "./state/search-state.js";

/** The plan of a read, by the statement that would run it. */
export async function explain(database: Database, read: ExplainedRead): Promise<string> {
  switch (read.of) {
    case "page":
      return explainPage(database, read.request);
    case "page-search":
      return explainPageSearch(database, read.request);
    case "state-search":
      return explainStateSearch(database, read.request);
    case "state-changes":
      return explainStateChanges(database, read.request);
    default:
      return read satisfies never;
  }
}
