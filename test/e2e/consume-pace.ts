/** A consumer that is slower than its window: records that it received too early neither time out nor count. */

import { expect } from "vitest";
import { createClient } from "../../src/index.js";
import { createTestDatabase } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";

const handlerMs = 20;
const ackDeadlineMs = 1000;

export interface PacedRun {
  readonly records: number;
  /** Undefined: the default window. */
  readonly window: { readonly records: number } | undefined;
}

/** Handles each record once, at attempt 1. Returns how many records were delivered more than once. */
export async function handleSlowly({ records, window }: PacedRun): Promise<number> {
  const database = await createTestDatabase("postgres");
  const listening = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
  const server = await startServerProcess([...databaseArguments(database.connection), ...listening]);
  const millrace = createClient({ address: server.address });
  try {
    const name = "paced";
    await millrace.append(
      name,
      Array.from({ length: records }, (_, index) => ({ text: String(index) })),
    );
    await millrace.subscriptions.create(name, { topic: name, start: "earliest", ackDeadlineMs });
    const handled = new Map<number, number[]>();
    const consumption = millrace.consume(name, { window });
    await consumption.forEach(async ({ offset, attempt }) => {
      handled.set(offset, [...(handled.get(offset) ?? []), attempt]);
      await new Promise((resolve) => setTimeout(resolve, handlerMs));
      if (handled.size === records) void consumption.stop();
    });
    expect(handled.size).toBe(records);
    expect([...handled].filter(([, attempts]) => String(attempts) !== "1")).toEqual([]);
    for await (const { lagRecords, retryRecords } of millrace.subscriptions.describe(name, { limit: 1 })) {
      expect({ lagRecords, retryRecords }).toEqual({ lagRecords: 0, retryRecords: 0 });
    }
    return (await deliveriesOf(`${server.metricsAddress}`)) - records;
  } finally {
    millrace.close();
    await server.stop();
    await database.drop();
  }
}

/** The number of deliveries, including redeliveries. */
async function deliveriesOf(metricsAddress: string): Promise<number> {
  const page = await (await fetch(`http://${metricsAddress}/metrics`)).text();
  const lines = page.matchAll(/^millrace_records_delivered_total\{.*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}
