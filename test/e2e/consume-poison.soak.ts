import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { parkPoison } from "./consume-poison.js";

afterEach(killServerProcesses);

describe.each(databaseKinds)("on %s", (kind) => {
  test.each(["shared", "keyed", "exclusive"] as const)(
    "fifty poisoned records of a %s subscription are parked, and redelivered at a hundred a second",
    (sharing) =>
      soakRounds(`poison of ${sharing} consumers on ${kind}`, () =>
        parkPoison(kind, { sharing, records: 10_000, poison: 50 }),
      ),
    soakTimeoutMs,
  );
});
