import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { seededRandom } from "../support/soak.js";
import { killPostgresServers, killPublishers, killServers } from "./kills.js";

afterEach(killServerProcesses);

const options = () => ({ kills: 1, records: 1000, random: seededRandom(1) });

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "serve, killed while it publishes, has every acknowledged record once",
    () => killServers(kind, options()),
    60_000,
  );
});

test(
  "publish, killed, has each acknowledged record once and tears no batch",
  () => killPublishers("postgres", options()),
  60_000,
);

test(
  "serve, whose Postgres is killed, continues without a loss, a gap or a repeat",
  () => killPostgresServers(options()),
  60_000,
);
