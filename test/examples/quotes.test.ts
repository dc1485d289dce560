import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { runExample } from "./run-example.js";

let database: TestDatabase;
let address: string;

beforeAll(async () => {
  database = await createTestDatabase("embedded");
  ({ address } = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]));
});

afterAll(async () => {
  await killServerProcesses();
  await database.drop();
});

interface Seen {
  readonly name: string;
  readonly looks: number;
  readonly quotes: number;
  readonly latest: Readonly<Record<string, { readonly number: number }>>;
}

test.each(["first", "second"])("quotes gives each watcher the newest, fewer to a slower one: %s start", async () => {
  const { code, stdout, stderr } = await runExample("quotes", ["--address", address, "--quotes", "600", "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const seen = JSON.parse(stdout) as readonly Seen[];
  expect(seen.map(({ name }) => name)).toEqual(["fast", "slow", "slowest"]);
  const last = { ACME: { number: 597 }, BOLT: { number: 598 }, CRUX: { number: 599 }, DUNE: { number: 600 } };
  for (const each of seen) {
    expect(each.latest).toMatchObject(last);
    // A look gets one quote of a symbol at most: with a queue it would get what has gathered.
    expect(each.quotes).toBeLessThanOrEqual(4 * each.looks);
  }
  const [fast, slow, slowest] = seen.map(({ quotes }) => quotes) as [number, number, number];
  expect(fast).toBeGreaterThanOrEqual(slow);
  expect(slow).toBeGreaterThan(slowest);
  expect(slowest).toBeLessThan(100);
});

test("quotes says that there is nothing to watch", async () => {
  const args = ["--address", address, "--watch", "--topic", "none"];
  const { code, stdout, stderr } = await runExample("quotes", args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain('There is no topic "none"');
});
