import { defineConfig } from "vitest/config";

const soak = process.env["SOAK"] !== undefined;

export default defineConfig({
  test: {
    // `make soak` runs what takes too long for every change; nothing else does.
    include: [soak ? "test/**/*.soak.ts" : "test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    // Processes rather than threads: tests send signals, measure memory, and load PGlite.
    pool: "forks",
    maxWorkers: 2,
    // Leak tests ask for a collection before they count.
    execArgv: ["--expose-gc"],
    testTimeout: soak ? 3_600_000 : 30_000,
    hookTimeout: 60_000,
    // A focused test would hide the others.
    allowOnly: false,
    reporters: process.env["CI"] === undefined ? ["default"] : ["default", "json"],
    outputFile: { json: "node_modules/.cache/vitest-report.json" },
  },
});
