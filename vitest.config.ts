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
 * What replaces the process's timers, hears its unhandled errors, or counts what it holds. Such a file has a process of its
 * own, and so has every soak. All others share some, one file after the other: to load the modules for each of them took as
 * long as the tests.
 */
const ownsProcess = /\buseFakeTim|\bprocess\.on\(|\bheapUsed|\bheldResources|\/(long-pipeline|cancel-calls)\.js"/;
const alone = files.filter((file) => soak || ownsProcess.test(readFileSync(file, "utf8")));
const together = files.filter((file) => !alone.includes(file));

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: "together", include: together, isolate: false } },
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
