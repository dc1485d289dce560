import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { publishOverTwoNodes } from "./two-nodes.js";

afterEach(killServerProcesses);

test.each([false, true])(
  "publish of 200,000 records over two nodes into one topic leaves no gap, one killed: %s",
  (isOneKilled) => soakRounds("two nodes", (random) => publishOverTwoNodes({ records: 200_000, random, isOneKilled })),
  soakTimeoutMs,
);
