import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs, wholeNumberBetween } from "../support/soak.js";
import { consumeThroughKills } from "./consume-history.js";

afterEach(killServerProcesses);

const size = { records: 50_000, serverKills: 5, postgresKills: 5, isOverClient: true };

test.each(["shared", "keyed", "exclusive"] as const)(
  "forEach on a %s subscription keeps its promises through ten kills",
  (sharing) =>
    soakRounds(`${sharing} consumers over the client`, (random) =>
      consumeThroughKills("postgres", { ...size, sharing, seed: wholeNumberBetween(random, 1, 2 ** 31) }),
    ),
  soakTimeoutMs,
);
