import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { consumeThroughKills } from "./consume-history.js";

afterEach(killServerProcesses);

test(
  "a keyed subscription, consumed by four that fail and die, keeps its promises through a kill of Postgres",
  () => consumeThroughKills("postgres", { sharing: "keyed", records: 500, seed: 1, serverKills: 0, postgresKills: 1 }),
  60_000,
);
