import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { drainWithFollows } from "./drain.js";

afterEach(killServerProcesses);

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "serve, stopped with 1000 open follows, sends each its position, and serves them again afterwards",
    () => soakRounds(`drain on ${kind}`, (random) => drainWithFollows(kind, 1000, random)),
    soakTimeoutMs,
  );
});
