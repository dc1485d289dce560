import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs, wholeNumberBetween } from "../support/soak.js";
import { consumeThroughKills } from "./consume-history.js";

afterEach(killServerProcesses);

describe.each(databaseKinds)("on %s", (kind) => {
  test.each(["shared", "keyed", "exclusive"] as const)(
    "a %s subscription, consumed by four that fail and die, keeps its promises through ten kills",
    (sharing) =>
      soakRounds(`histories of ${sharing} consumers on ${kind}`, (random) => {
        const seed = wholeNumberBetween(random, 1, 2 ** 31);
        const kills =
          kind === "postgres" ? { serverKills: 5, postgresKills: 5 } : { serverKills: 10, postgresKills: 0 };
        return consumeThroughKills(kind, { sharing, records: 50_000, seed, ...kills });
      }),
    soakTimeoutMs,
  );
});
