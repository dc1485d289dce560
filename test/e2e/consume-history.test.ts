import { afterAll, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { consumeThroughKills } from "./consume-history.js";

afterAll(killServerProcesses);

const size = { records: 300, seed: 1, serverKills: 1, postgresKills: 0 };

// They spend much of their time waiting for a lease to end.
test.concurrent.each([
  ["shared", "postgres"],
  ["keyed", "embedded"],
  ["exclusive", "postgres"],
] as const)(
  "a %s subscription on %s, consumed by four that fail and die, keeps its promises through a kill of the server",
  (sharing, kind) => consumeThroughKills(kind, { ...size, sharing }),
  60_000,
);
