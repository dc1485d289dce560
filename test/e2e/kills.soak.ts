import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { killPostgresServers, killPublishers, killServers } from "./kills.js";

afterEach(killServerProcesses);

const size = { kills: 5, records: 20_000 };

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "serve, killed five times while it publishes, has every acknowledged record once",
    () => soakRounds(`kills of the server on ${kind}`, (random) => killServers(kind, { ...size, random })),
    soakTimeoutMs,
  );

  test(
    "publish, killed five times, has each acknowledged record once and tears no batch",
    () => soakRounds(`kills of a publisher on ${kind}`, (random) => killPublishers(kind, { ...size, random })),
    soakTimeoutMs,
  );
});

test(
  "serve, whose Postgres is killed five times, continues without a loss, a gap or a repeat",
  () => soakRounds("kills of Postgres", (random) => killPostgresServers({ ...size, random })),
  soakTimeoutMs,
);
