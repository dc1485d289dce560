import { afterEach, describe, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { besideGreedyConsumers } from "./greedy-consumers.js";

afterEach(killServerProcesses);

describe("consumers that take all they are given", () => {
  test("are granted and informed of smaller windows when the node's budget is exhausted", async () => {
    const size = { kind: "durable", calls: 10, records: 2000, budget: 5000, measuredMs: 500 } as const;
    const { outstanding, granted } = await besideGreedyConsumers(size);
    expect(outstanding).toBeGreaterThan(2500);
    expect(outstanding).toBeLessThanOrEqual(5000 + 10 * 16);
    expect(granted).toBe(500);
  });
});
