import { once } from "node:events";
import { expect, test } from "vitest";
import { readHeaderOutput, runExample, startExample } from "./run-example.js";

test("sensors prints what its header shows", async () => {
  const { code, stdout, stderr } = await runExample("sensors", ["--sample", "100", "--every-seconds", "50"]);
  expect(code).toBe(0);
  expect(stdout + stderr).toBe(await readHeaderOutput("sensors"));
  expect(stdout).not.toBe("");
});

test("sensors says that it cannot read its file", async () => {
  const { code, stdout, stderr } = await runExample("sensors", ["--file", "/none"]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("ENOENT");
});

test("sensors ends when nobody reads what it prints", async () => {
  const { child, ended } = startExample("sensors", ["--sample", "200000", "--every-seconds", "1"]);
  // Its text breaks off: that is what this is about.
  ended.catch(() => undefined);
  if (child.stdout === null) throw new Error("It has no output");
  await once(child.stdout, "data");
  child.stdout.destroy();
  const [code] = (await once(child, "exit")) as [number | null];
  expect(code).toBe(1);
});

test("sensors counts what is late and what is wrong, and brings every unit to one", async () => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  const lines = [
    JSON.stringify({ sensor: "a", time: at(1), value: 32, unit: "F" }),
    JSON.stringify({ sensor: "a", time: at(2), value: 283.15, unit: "K" }),
    "{",
    JSON.stringify({ sensor: "a", time: at(3), value: 999, unit: "C" }),
    JSON.stringify({ sensor: "a", time: at(25), value: 20, unit: "C" }),
    JSON.stringify({ sensor: "a", time: at(4), value: 1, unit: "C" }),
  ];
  const { stdout, stderr } = await runExample("sensors", ["--json", "--window-seconds", "10"], {
    input: lines.join("\n"),
  });
  const rolling = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { until: string; readings: number; mean: number; min: number; max: number });
  expect(rolling.map(({ until, readings }) => [until, readings])).toEqual([
    [at(10), 2],
    [at(30), 1],
  ]);
  expect(rolling[0]?.mean).toBeCloseTo(5);
  expect(rolling[0]?.min).toBeCloseTo(0);
  expect(rolling[0]?.max).toBeCloseTo(10);
  expect(JSON.parse(stderr)).toEqual({ late: 1, faults: { "not JSON": 1, "no temperature on Earth": 1 } });
});
