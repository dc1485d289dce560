import { afterEach, describe, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { besideGreedyConsumers } from "./greedy-consumers.js";

afterEach(killServerProcesses);

describe("a hundred consumers that take all they are given", () => {
  test.each(["ephemeral", "durable"] as const)(
    "leave a node with a heap of 512 MB within its budget and serving: %s",
    (kind) =>
      soakRounds(`greedy ${kind} consumers`, async () => {
        const outcome = await besideGreedyConsumers({
          kind,
          calls: 100,
          records: 100_000,
          budget: 500_000,
          measuredMs: 8000,
        });
        console.log(`greedy ${kind} consumers:`, outcome);
        const { outstanding, appendP99Ms, granted } = outcome;
        expect(outstanding).toBeGreaterThan(200_000);
        expect(outstanding).toBeLessThanOrEqual(500_000 + 100 * 16);
        expect(granted).toBeLessThan(100_000);
        expect(appendP99Ms.beside).toBeLessThanOrEqual(3 * appendP99Ms.alone);
      }),
    soakTimeoutMs,
  );
});
