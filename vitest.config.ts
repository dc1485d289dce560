import { defineConfig } from "vitest/config";

const soak = process.env["SOAK"] !== undefined;
// `make soak` runs what takes too long for every change; nothing else does.
const files = soak ? "*.soak.ts" : "*.test.ts";
/**
 * Rooms whose tests share a process, one file after the other: loading the modules and PGlite anew for each took longer than
 * the tests. The others have a process each: they replace timers, send signals, or count what a process holds.
 */
const together = ["client", "core", "engine", "files", "filter", "rpc", "server", "store", "wire"];
const inRooms = together.map((room) => `test/${room}/**/${files}`);

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: "together", include: inRooms, isolate: false } },
      { extends: true, test: { name: "apart", include: [`test/**/${files}`], exclude: inRooms } },
    ],
    globalSetup: ["test/support/global-setup.ts"],
    // Processes rather than threads: tests send signals, measure memory, and load PGlite.
    pool: "forks",
    maxWorkers: 3,
    // Leak tests ask for a collection before they count.
    execArgv: ["--expose-gc"],
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
