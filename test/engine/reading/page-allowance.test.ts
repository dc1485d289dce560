import { expect, it } from "vitest";
import { createPageBudget } from "../../../src/engine/reading/page-allowance.js";

const KiB = 1024;
const limits = { pageBytesMin: 32 * KiB, pageBytesMax: 256 * KiB, pageBudgetBytes: 300 * KiB };

it("PageAllowance.take() grants the smallest page until 16 times as much was delivered, and never more than the largest", () => {
  const stream = createPageBudget({ ...limits, pageBudgetBytes: 2 ** 30 }).forStream();
  const sizes: number[] = [];
  for (const delivered of [0, 16 * 32 * KiB, 16 * 32 * KiB, 16 * 1024 * KiB]) {
    stream.delivered(delivered);
    sizes.push(stream.take().bytes);
  }
  expect(sizes).toEqual([32 * KiB, 32 * KiB, 64 * KiB, 256 * KiB]);
});

it("PageAllowance.take() never waits: when the node's budget is exhausted, streams get the smallest page", () => {
  const budget = createPageBudget(limits);
  const streams = [budget.forStream(), budget.forStream()];
  for (const stream of streams) stream.delivered(16 * 256 * KiB);
  const [first, second] = streams.map((stream) => stream.take());
  expect([first?.bytes, second?.bytes, budget.bytes]).toEqual([256 * KiB, 108 * KiB, 300 * KiB]);
  expect(streams[0]?.take().bytes).toBe(32 * KiB);
  first?.release();
  first?.release();
  expect(budget.bytes).toBe(76 * KiB);
});
