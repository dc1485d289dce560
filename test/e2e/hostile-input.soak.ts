import { afterEach, describe, expect, test } from "vitest";
import { closeAll, openClient } from "../rpc/rpc-server.js";
import { createTestDatabase, databaseKinds } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs, wholeNumberBetween } from "../support/soak.js";
import { fuzzRequests } from "./fuzz-requests.js";

afterEach(closeAll);
afterEach(killServerProcesses);

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "20,000 requests of any bytes, on every method, cause no fault, and damage no topic",
    () =>
      soakRounds(`hostile input on ${kind}`, async (random) => {
        const database = await createTestDatabase(kind);
        const server = await startServerProcess([
          ..."--listen 127.0.0.1:0 --log-level error".split(" "),
          ...databaseArguments(database.connection),
        ]);
        await fuzzRequests(openClient(server.address), server.address, 20_000, wholeNumberBetween(random, 0, 2 ** 31));
        expect(server.log).toEqual([]);
        expect(await server.stop()).toBe(0);
        await database.drop();
      }),
    soakTimeoutMs,
  );
});
