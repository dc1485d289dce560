import { afterEach, test } from "vitest";
import { killServerProcesses } from "../../support/server-process.js";
import { workThroughFaults } from "./mixed-faults.js";

afterEach(killServerProcesses);

test(
  "all clients work again soon after faults of any kind, and find everything once and in order",
  () => workThroughFaults({ seed: 1, faults: 6, atOnce: 3, returnMsMax: 15_000 }),
  120_000,
);
