import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { seededRandom } from "../support/soak.js";
import { killPostgresServers, killPublishers, killServers } from "./kills.js";

afterEach(killServerProcesses);

const options = () => ({ kills: 1, records: 1000, random: seededRandom(1) });

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "serve, killed in the middle of publishing, has every acknowledged record once",
    () => killServers(kind, options()),
    60_000,
  );
});

test(
  "publish, killed, has what it was told once and tears no batch",
  () => killPublishers("postgres", options()),
  60_000,
);

test(
  "serve, whose Postgres is killed under it, goes on without a loss, a gap or a repeat",
  () => killPostgresServers(options()),
  60_000,
);
