import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { commitThroughKills } from "./consume-commit.js";

afterEach(killServerProcesses);

test(
  "commits exist once, whatever is killed meanwhile",
  () => commitThroughKills({ sharing: "shared", seed: 1, kills: { client: 1, server: 1, postgres: 1 }, records: 40 }),
  60_000,
);
