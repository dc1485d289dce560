import { describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { cancelCalls } from "./cancel-calls.js";

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "10,000 calls, cancelled at random moments, leave no stream, timer, connection or listener",
    () => soakRounds(`cancels on ${kind}`, (random) => cancelCalls(kind, 10_000, random)),
    soakTimeoutMs,
  );
});
