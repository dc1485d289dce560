import { afterEach, describe, test } from "vitest";
import { onEmbedded } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { seededRandom } from "../support/soak.js";
import { publishAndFollow } from "./publish-and-follow.js";

afterEach(killServerProcesses);

describe.each(onEmbedded)("on %s", (kind) => {
  test("follow, started before, during and after, sees every record once, at its acknowledged offset", async () => {
    await publishAndFollow(kind, 20_000, seededRandom(1));
  }, 60_000);
});
