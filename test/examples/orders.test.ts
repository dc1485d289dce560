import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { runExample } from "./run-example.js";

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase("postgres");
});

afterEach(async () => {
  await killServerProcesses();
  await database.drop();
});

test("orders adds up each order once, though a worker is killed, and any number of times", async () => {
  const server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  for (const orders of [40, 20]) {
    const args = `--orders ${orders} --kills 1 --json`.split(" ");
    const { stdout, stderr, code } = await runExample("orders", ["--address", server.address, ...args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const all = { records: orders, amount: (orders * (orders + 1)) / 2 };
    expect(JSON.parse(stdout)).toEqual({ input: all, output: all, customers: 7, latest: all.amount });
  }
});
