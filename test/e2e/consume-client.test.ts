import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { consumeThroughKills } from "./consume-history.js";

afterEach(killServerProcesses);

const run = { records: 400, seed: 1, serverKills: 1, isOverClient: true };

test(
  "forEach on a keyed subscription keeps its promises through a kill of the server",
  () => consumeThroughKills("postgres", { ...run, sharing: "keyed", postgresKills: 0 }),
  60_000,
);
