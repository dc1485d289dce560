import { expect, test } from "vitest";
import { runLongPipeline } from "./support/long-pipeline.js";

const size = 10_000_000;

test("10 million items through a long pipeline leave nothing behind", async () => {
  await runLongPipeline(size / 100);
  const { sum, heapSizes } = await runLongPipeline(size);
  console.log(`heap in MB: ${heapSizes.map((bytes) => (bytes / 1e6).toFixed(1)).join(" ")}`);
  expect(sum).toBe((size * (size - 1)) / 2);
  expect(Math.max(...heapSizes) - (heapSizes[0] ?? 0)).toBeLessThan(4e6);
});
