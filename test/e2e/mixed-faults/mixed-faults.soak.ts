import { afterEach, test } from "vitest";
import { killServerProcesses } from "../../support/server-process.js";
import { soakCount, soakRounds } from "../../support/soak.js";
import { workThroughFaults } from "./mixed-faults.js";

afterEach(killServerProcesses);

/** A thousand faults take about a quarter of an hour. */
test(
  "all clients work again soon after many faults of any kind, and find everything once and in order",
  () =>
    soakRounds("mixed faults", (random) =>
      workThroughFaults({
        seed: Math.floor(random() * 2 ** 32),
        faults: soakCount(1000),
        atOnce: 4,
        returnMsMax: 5000,
      }),
    ),
  7_200_000,
);
