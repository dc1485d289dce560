import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { cities, publishAndReadCities } from "./cities.js";

afterEach(killServerProcesses);

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "all cities, published and read by the command line, are the same, gapless and in order",
    () => soakRounds(`cities on ${kind}`, () => publishAndReadCities(kind, cities.length)),
    soakTimeoutMs,
  );
});
