import { expect, test } from "vitest";
import { runExample } from "./run-example.js";

interface Seen {
  readonly name: string;
  readonly quotes: number;
  readonly behind: number;
  readonly last: number;
}

test("quotes gives each subscriber the newest, fewer to a slower one, and the last to all", async () => {
  const { code, stderr, lines } = await runExample("quotes", ["--quotes", "300", "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const seen = lines.map((line) => JSON.parse(line) as Seen);
  expect(seen.map(({ name }) => name)).toEqual(["fast", "slow", "slowest"]);
  const [fast, slow, slowest] = seen.map(({ quotes }) => quotes) as [number, number, number];
  expect(fast).toBeGreaterThan(slow);
  expect(slow).toBeGreaterThan(slowest);
  expect(seen.map(({ last }) => last)).toEqual([300, 300, 300]);
  // With a queue the slowest would get quotes that are hundreds behind.
  expect(seen.map(({ behind }) => behind)).toEqual([0, 0, 0]);
});
