import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { seededRandom } from "../support/soak.js";
import { publishOverTwoNodes } from "./two-nodes.js";

afterEach(killServerProcesses);

// `make soak` also runs it without a kill.
test.each([true])(
  "publish over two nodes into one topic leaves no gap, one killed: %s",
  (isOneKilled) => publishOverTwoNodes({ records: 10_000, random: seededRandom(1), isOneKilled }),
  60_000,
);
