import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { publishAndFollow } from "./publish-and-follow.js";

afterEach(killServerProcesses);

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "follow, started before, during and after 200,000 records, sees every one once, at its acknowledged offset",
    async () => {
      await soakRounds(`publish and follow on ${kind}`, (random) => publishAndFollow(kind, 200_000, random));
    },
    soakTimeoutMs,
  );
});
