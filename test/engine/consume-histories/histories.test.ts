import { describe, expect, test } from "vitest";
import { besideWallJumps } from "./beside-wall-jumps.js";
import { fuzzConsumers, sharings } from "./fuzz-consumers.js";

describe("histories of consumers on a simulated clock", () => {
  test.each(sharings)("%s, agree with the model", async (sharing) => {
    const { deliveries } = await fuzzConsumers({ sharing, seed: 1, histories: 5 });
    expect(deliveries).toBeGreaterThan(50);
  });

  test("SHARED, of two nodes, come to rest when all that is free is not published yet", async () => {
    const { statements } = await fuzzConsumers({ sharing: "shared", seed: 23, histories: 1 });
    expect(statements).toBeLessThan(2000);
  });

  test.each(sharings)("%s, are unchanged by a wall clock that jumps an hour forward and back", async (sharing) => {
    for (const { seed, calm, jumping } of await besideWallJumps(sharing, [7], 3_600_000)) {
      expect(calm.deliveries, `seed ${seed}`).toBeGreaterThan(0);
      expect(jumping.log, `seed ${seed}`).toEqual(calm.log);
    }
  });
});
