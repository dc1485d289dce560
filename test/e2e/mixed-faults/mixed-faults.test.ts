import { afterEach, test } from "vitest";
import { killServerProcesses } from "../../support/server-process.js";
import { workThroughFaults } from "./mixed-faults.js";

afterEach(killServerProcesses);

test(
  "all who work through faults of any kind get on soon after, and find everything once and in order",
  () => workThroughFaults({ seed: 1, faults: 6, atOnce: 3, returnMsMost: 15_000 }),
  120_000,
);
