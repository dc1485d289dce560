import { describe, expect, test } from "vitest";
import type { DeliveryBatch } from "../../../src/client/index.js";
import { openGroup } from "./open-consumption.js";
import { upTo } from "./scripted-group.js";

describe("Consumption.batches()", () => {
  test("gives whole messages, and settles them as ranges", async () => {
    const { consume, group } = await openGroup([upTo(500), [900, 901, 950], [960]]);
    group.stale.add(950);
    const answers: string[] = [];
    const sizes: number[] = [];
    const consumption = consume();
    for await (const batch of consumption.batches()) {
      sizes.push(batch.records.length);
      answers.push(await batch.acknowledge());
      if (sizes.length === 3) break;
    }
    expect(sizes).toEqual([500, 3, 1]);
    expect(answers).toEqual(["acknowledged", "stale", "acknowledged"]);
    expect(group.said.map(({ acknowledge }) => acknowledge.length).filter((ranges) => ranges > 0)).toEqual([1, 2, 1]);
  });

  test("acknowledges nothing by itself, and rejects the batches in hand when it is left", async () => {
    for (const leave of ["break", "throw"] as const) {
      const { consume, group } = await openGroup([[0, 1], [2, 3], [4, 5], [6]]);
      const taken: DeliveryBatch[] = [];
      const consumption = consume();
      const looping = async () => {
        for await (const batch of consumption.batches()) {
          taken.push(batch);
          if (taken.length === 1) await batch.acknowledge();
          if (taken.length < 3) continue;
          await expect.poll(() => consumption.outstanding).toBe(5);
          if (leave === "break") break;
          throw new Error("no more");
        }
      };
      if (leave === "break") await looping();
      else await expect(looping()).rejects.toThrow("no more");
      expect(group.acknowledged).toEqual([0, 1]);
      const reason = "the loop ended at this record";
      expect(group.rejected).toEqual([2, 3, 4, 5].map((offset) => ({ offset, reason, delayMs: undefined })));
      expect(group.released).toEqual([6]);
      expect(await taken[1]?.acknowledge()).toBe("stale");
    }
  });
});
