import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs, wholeNumberBetween } from "../support/soak.js";
import { commitThroughKills } from "./consume-commit.js";

afterEach(killServerProcesses);

const size = { kills: { client: 50, server: 25, postgres: 25 }, records: 300 };

test.each(["shared", "keyed", "exclusive"] as const)(
  "commits on a %s subscription exist once, after a hundred kills",
  (sharing) =>
    soakRounds(`commits of ${sharing} consumers`, (random) =>
      commitThroughKills({ ...size, sharing, seed: wholeNumberBetween(random, 1, 2 ** 31) }),
    ),
  soakTimeoutMs,
);
