import { afterEach, describe, expect, test } from "vitest";
import { onPostgres } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { seededRandom } from "../support/soak.js";
import { killWhileBuilding } from "./turned-keyed.js";

afterEach(killServerProcesses);

describe.each(onPostgres)("A topic that is turned keyed on %s", (kind) => {
  test("gets its complete state, although its server is killed in the middle", async () => {
    await killWhileBuilding({ kind, records: 10_000, keys: 4000, kills: 1, random: seededRandom(3) });
    expect.hasAssertions();
  });
});
