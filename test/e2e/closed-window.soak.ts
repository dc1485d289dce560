import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { oneOf, soakRounds, soakTimeoutMs } from "../support/soak.js";
import { closeWindows } from "./closed-window.js";

afterEach(killServerProcesses);

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "followers whose windows are closed while 100 MB are published cost no memory, and get everything once they read",
    () =>
      soakRounds(`closed windows on ${kind}`, (random) =>
        closeWindows(kind, { bytes: 100_000_000, stalled: oneOf(random, [1, 3, 10]), growthBytesMax: 80_000_000 }),
      ),
    soakTimeoutMs,
  );
});
