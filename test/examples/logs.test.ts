import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { runExample } from "./run-example.js";

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase("embedded");
  folder = await mkdtemp(join(tmpdir(), "millrace-logs-"));
});

afterEach(async () => {
  await killServerProcesses();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

test("logs collects the warnings of three programs, whatever a stalled sink does", async () => {
  const server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  const file = join(folder, "warnings.ndjson");
  const { stdout, stderr, code } = await runExample("logs", [
    "--address",
    server.address,
    "--seconds",
    "3",
    "--file",
    file,
    "--environment",
    "test",
    "--json",
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const report = JSON.parse(stdout) as {
    published: number;
    alerts: number;
    sinks: Record<string, { outcome: string; dropped: number }>;
  };
  // 30 of app, 60 of web, 15 of db, of which three in five are WARNING or worse.
  expect(report).toMatchObject({
    published: 105,
    alerts: 63,
    sinks: {
      alerts: { outcome: "finished", dropped: 0 },
      file: { outcome: "finished", dropped: 0 },
      stalled: { outcome: "disconnected" },
    },
  });
  const entries = (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { level: string; source: string; metadata: Record<string, string> });
  expect(entries).toHaveLength(63);
  expect(new Set(entries.map(({ level }) => level))).toEqual(new Set(["WARNING", "ERROR", "CRITICAL"]));
  expect(new Set(entries.map(({ source }) => source))).toEqual(new Set(["app", "web", "db"]));
  expect(entries.every(({ metadata }) => metadata["environment"] === "test")).toBe(true);
});
