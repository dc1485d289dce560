import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";

/** A consumer that is slower than its window. */

let database: TestDatabase;
let server: ServerProcess;
let millrace: MillraceClient;

beforeAll(async () => {
  database = await createTestDatabase("postgres");
  const listening = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
  server = await startServerProcess([...databaseArguments(database.connection), ...listening]);
  millrace = createClient({ address: server.address });
});

afterAll(async () => {
  millrace.close();
  await server.stop();
  await database.drop();
});

/** How many records were handed to consumers, once or again. */
async function deliveredSoFar(): Promise<number> {
  const page = await (await fetch(`http://${server.metricsAddress}/metrics`)).text();
  const lines = page.matchAll(/^millrace_records_delivered_total\{.*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}

interface Run {
  readonly records: number;
  readonly window: { readonly records: number } | undefined;
  /** How many records may be delivered more than once. */
  readonly redeliveriesMax: number;
}

const runs: Record<string, Run> = {
  // It begins with 16 records, which are begun within a third of a second; on a busy machine, some are not.
  "a default consumer": { records: 1000, window: undefined, redeliveriesMax: 16 },
  // All arrive at once. After half a second, what nobody has begun is released, once.
  "a consumer that asks for a window of 400": { records: 400, window: { records: 400 }, redeliveriesMax: 420 },
};

for (const [who, { records, window, redeliveriesMax }] of Object.entries(runs)) {
  test(`${who} handles each of ${records} records once, as attempt 1, with 20 ms for each and a deadline of 1 s`, async () => {
    const name = `paced-${records}`;
    await millrace.append(
      name,
      Array.from({ length: records }, (_, index) => ({ text: String(index) })),
    );
    await millrace.subscriptions.create(name, { topic: name, start: "earliest", ackDeadlineMs: 1000 });
    const before = await deliveredSoFar();
    const handled = new Map<number, number[]>();
    const windows: number[] = [];
    const consumption = millrace.consume(name, {
      window,
      onEvent: (event) => void (event.type === "window-changed" && windows.push(event.window.records)),
    });
    await consumption.forEach(async ({ offset, attempt }) => {
      handled.set(offset, [...(handled.get(offset) ?? []), attempt]);
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (handled.size === records) void consumption.stop();
    });
    expect(handled.size).toBe(records);
    expect([...handled].filter(([, attempts]) => String(attempts) !== "1")).toEqual([]);
    const redeliveries = (await deliveredSoFar()) - before - records;
    console.log(`${who}: ${redeliveries} redeliveries; windows ${windows.join(", ")}`);
    expect(redeliveries).toBeLessThanOrEqual(redeliveriesMax);
    for await (const { lagRecords, retryRecords } of millrace.subscriptions.describe(name, { limit: 1 })) {
      expect({ lagRecords, retryRecords }).toEqual({ lagRecords: 0, retryRecords: 0 });
    }
  }, 60_000);
}
