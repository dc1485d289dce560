import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { commitThroughKills } from "./consume-commit.js";

afterEach(killServerProcesses);

test(
  "what is committed is there once, whoever was killed meanwhile",
  () => commitThroughKills({ sharing: "shared", seed: 1, kills: { client: 2, server: 1, postgres: 1 }, records: 60 }),
  60_000,
);
