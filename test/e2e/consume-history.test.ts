import { afterEach, describe, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { consumeThroughKills } from "./consume-history.js";

afterEach(killServerProcesses);

const size = { records: 1500, seed: 1 };

describe.each(["shared", "keyed", "exclusive"] as const)(
  "a %s subscription, consumed by four that fail and die",
  (sharing) => {
    test(
      "keeps its promises through kills of the server and of Postgres",
      () => consumeThroughKills("postgres", { ...size, sharing, serverKills: 1, postgresKills: 1 }),
      60_000,
    );
  },
);

test(
  "a keyed subscription on the embedded database keeps its promises through a kill of the server",
  () => consumeThroughKills("embedded", { ...size, sharing: "keyed", serverKills: 1, postgresKills: 0 }),
  60_000,
);
