import { expect, test } from "vitest";
import { runLongPipeline } from "./support/long-pipeline.js";

const size = 300_000;

test("300,000 items through a long pipeline leave nothing behind", async () => {
  await runLongPipeline(size / 10);
  const { sum, heapSizes } = await runLongPipeline(size);
  expect(sum).toBe((size * (size - 1)) / 2);
  // One kept promise for each item would take 30 MB.
  expect(Math.max(...heapSizes) - (heapSizes[0] ?? 0)).toBeLessThan(4e6);
});
