import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { killWhileBuilding } from "./turned-keyed.js";

afterEach(killServerProcesses);

describe.each(databaseKinds)("A topic that is turned keyed on %s", (kind) => {
  test(
    "gets its complete state, however often its server is killed",
    () =>
      soakRounds(`turned keyed on ${kind}`, (random) =>
        killWhileBuilding({ kind, records: 200_000, keys: 50_000, kills: 6, random }),
      ),
    soakTimeoutMs,
  );
});
