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
  database = await createTestDatabase("postgres");
  folder = await mkdtemp(join(tmpdir(), "millrace-logs-"));
});

afterEach(async () => {
  await killServerProcesses();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

/** Runs it, and gives what it reports and what its file holds. */
async function collectLogs(address: string, seconds: number) {
  const file = join(folder, "warnings.ndjson");
  const args = `--address ${address} --seconds ${seconds} --file ${file} --environment test --json`.split(" ");
  const { stdout, stderr, code } = await runExample("logs", args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const entries = (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { level: string; source: string; metadata: Record<string, string> });
  return { report: JSON.parse(stdout) as object, entries };
}

test("logs collects the warnings of three programs, whatever a stalled sink does, and any number of times", async () => {
  const { address } = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  const { report, entries } = await collectLogs(address, 3);
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
  expect(entries).toHaveLength(63);
  expect(new Set(entries.map(({ level }) => level))).toEqual(new Set(["WARNING", "ERROR", "CRITICAL"]));
  expect(new Set(entries.map(({ source }) => source))).toEqual(new Set(["app", "web", "db"]));
  expect(entries.every(({ metadata }) => metadata["environment"] === "test")).toBe(true);
  // Too short for the stalled sink to be in anybody's way: it is not waited for.
  const again = await collectLogs(address, 1);
  expect(again.report).toMatchObject({ published: 35, alerts: 21, sinks: { file: { outcome: "finished" } } });
  expect(again.entries).toHaveLength(21);
});
