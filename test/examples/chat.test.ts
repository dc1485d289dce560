import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { runExample } from "./run-example.js";

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase("embedded");
});

afterEach(async () => {
  await killServerProcesses();
  await database.drop();
});

test("chat gives every member the messages of its rooms, in order, while a slow store holds the reading back", async () => {
  const server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  const { stdout, stderr, code } = await runExample("chat", [
    "--address",
    server.address,
    "--messages",
    "1500",
    "--store-ms",
    "1",
    "--json",
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const report = JSON.parse(stdout) as {
    messages: number;
    lagMax: number;
    seen: { member: string; messages: number; missed: number; digest: string }[];
  };
  const digestOf = (messages: Iterable<string | Uint8Array>): string => {
    const digest = createHash("sha256");
    for (const message of messages) digest.update(message);
    return digest.digest("hex").slice(0, 12);
  };
  const numbers = Array.from({ length: 500 }, (_, number) => number);
  const text = numbers.map((number) => `general ${number}`);
  const bytes = numbers.map((number) => new Uint8Array(512).fill(number));
  expect(report.messages).toBe(1500);
  expect(report.seen).toMatchObject([
    { member: "ada", messages: 1500, missed: 0 },
    { member: "bob", messages: 500, missed: 0, digest: digestOf(text) },
    { member: "cleo", messages: 500, missed: 0, digest: digestOf(bytes) },
  ]);
  // What is not stored yet waits in its topic. So little of it may be on its way already when the lag is first asked for.
  expect(report.lagMax).toBeGreaterThanOrEqual(0);
});
