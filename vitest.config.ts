import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const soak = process.env["SOAK"] !== undefined;
// `make soak` runs what takes too long for every change; nothing else does.
const suffix = soak ? ".soak.ts" : ".test.ts";
const files = readdirSync("test", { recursive: true, encoding: "utf8" })
  .map((file) => join("test", file))
  .filter((file) => file.endsWith(suffix));
/**
 * What hears the process's unhandled errors, counts what it holds, or replaces its timers in a way of its own. Such a file has a process of its own, and so has every
 * soak. All others share some, one file after the other: to load the modules for each of them took as long as the tests.
 */
const ownsProcess = /\bprocess\.on\(|\bheapUsed|\bheldResources|\buseFakeTimers|\/(long-pipeline|cancel-calls)\.js"/;
/**
 * What replaces the process's clock by `useFakeTime()`, which checks that each test gave it back, shares processes with its like:
 * the others may leave a timer.
 */
const ownsClock = /\buseFakeTime\(\)/;
const textOf = new Map(files.map((file) => [file, readFileSync(file, "utf8")]));
const matching = (pattern: RegExp) => files.filter((file) => pattern.test(textOf.get(file) ?? ""));
const alone = soak ? files : matching(ownsProcess);
const onFakeTime = matching(ownsClock).filter((file) => !alone.includes(file));
const together = files.filter((file) => !alone.includes(file) && !onFakeTime.includes(file));

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: "together", include: together, isolate: false } },
      { extends: true, test: { name: "fake-time", include: onFakeTime, isolate: false } },
      { extends: true, test: { name: "alone", include: alone } },
    ],
    globalSetup: ["test/support/global-setup.ts"],
    // Processes rather than threads: tests send signals, measure memory, and load PGlite.
    pool: "forks",
    maxWorkers: 3,
    // Leak tests ask for a collection before they count. Only the soaks run PGlite for so long that V8's optimizing compiler
    // for WebAssembly repays its time.
    execArgv: soak ? ["--expose-gc"] : ["--expose-gc", "--liftoff-only"],
    testTimeout: soak ? 3_600_000 : 30_000,
    hookTimeout: 60_000,
    // What is waited for comes soon, but not on a machine that is busy with other tests.
    expect: { poll: { timeout: 10_000 } },
    // A focused test would hide the others.
    allowOnly: false,
    reporters: process.env["CI"] === undefined ? ["default"] : ["default", "json"],
    outputFile: { json: "node_modules/.cache/vitest-report.json" },
  },
});
