import { expect, test } from "vitest";
import { runExample } from "./run-example.js";

test("quotes gives each subscriber the newest, fewer to a slower one, and the last to all", async () => {
  const { code, stderr, lines } = await runExample("quotes", ["--quotes", "300", "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const seen = lines.map((line) => JSON.parse(line) as { name: string; quotes: number; last: number });
  expect(seen.map(({ name }) => name)).toEqual(["fast", "slow", "slowest"]);
  const [fast, slow, slowest] = seen.map(({ quotes }) => quotes) as [number, number, number];
  expect(fast).toBeGreaterThan(slow);
  expect(slow).toBeGreaterThan(slowest);
  // The feed is numbered by ticks, and a tick that came late leaves a gap: the last is the same for all.
  expect(new Set(seen.map(({ last }) => last)).size).toBe(1);
});
