import { expect } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { readSettings, startServer } from "../../src/server/index.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { databaseArguments } from "../support/server-process.js";
import { type Random, wholeNumberBetween } from "../support/soak.js";

const topics = ["pooled/0", "pooled/1", "pooled/2", "pooled/3"] as const;
const records = 4000;
const poolBytes = 524_288;

/** The whole text of a record, so that another record's bytes in its place are seen. */
const textAt = (topic: string, offset: number) =>
  `${topic}@${offset}:`.padEnd(100 + (offset % 300), String.fromCharCode(97 + (offset % 26)));

/**
 * `readers` readers at once, whose pages are in reused buffers, while batches are published that use such buffers too.
 * Some are slow, and some leave in the middle. Each gets the published bytes, and the pool stays within its bound: a
 * reader that finds it empty gets a new buffer.
 */
export async function readPooled(kind: DatabaseKind, readers: number, random: Random): Promise<void> {
  const database = await createTestDatabase(kind);
  const [option = "", value = ""] = databaseArguments(database.connection);
  const flags = { listen: "127.0.0.1:0", metrics: "127.0.0.1:0", "buffer-pool-bytes": String(poolBytes) };
  const server = await startServer(readSettings({ ...flags, [option.slice(2)]: value }, {}), silentLogger);
  const client = createClient({ address: server.address });
  try {
    let isOver = false;
    function* source(topic: string) {
      for (let offset = 0; offset < records || !isOver; offset++) yield { text: textAt(topic, offset) };
    }
    const publishers = topics.map((topic) => client.publisher(topic, { batchRecords: 200, bufferBytes: 1_000_000 }));
    const publishing = Promise.all(publishers.map((publisher) => publisher.publishAll(source(publisher.topic))));
    publishing.catch(() => undefined);
    await expect.poll(() => hasRecords(client, records), { timeout: 60_000 }).toBe(true);
    let read = 0;
    let largest = 0;
    await Promise.all(
      Array.from({ length: readers }, async (_, reader) => {
        const topic = topics[reader % topics.length] as string;
        const leavesAt = random() < 0.2 ? wholeNumberBetween(random, 0, records) : records;
        const start = wholeNumberBetween(random, 0, records / 2);
        let next = start;
        for await (const page of client.read(topic, { start: { offset: start }, limit: records - start }).pages()) {
          for (const record of page.records) {
            if (record.offset !== next || record.text !== textAt(topic, next))
              throw new Error(`Read ${record.text} at ${next}`);
            next += 1;
            read += 1;
          }
          if (next >= leavesAt) break;
          if (random() < 0.05) await new Promise((resolve) => setTimeout(resolve, 20));
        }
        expect(next).toBeGreaterThanOrEqual(Math.min(leavesAt, records));
        largest = Math.max(largest, await pooledBytes(server.metricsAddress));
      }),
    );
    isOver = true;
    await publishing;
    await Promise.all(publishers.map((publisher) => publisher.close()));
    console.log(`${kind}: ${readers} readers, ${read} records; the pool kept ${largest} bytes at most`);
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThanOrEqual(poolBytes);
  } finally {
    client.close();
    await server.drain();
    await database.drop();
  }
}

async function hasRecords(client: MillraceClient, count: number): Promise<boolean> {
  for (const topic of topics) {
    const { nextOffset } = await client.topics.get(topic).catch(() => ({ nextOffset: 0 }));
    if (nextOffset < count) return false;
  }
  return true;
}

async function pooledBytes(metricsAddress: string | undefined): Promise<number> {
  const text = await (await fetch(`http://${metricsAddress}/metrics`)).text();
  return Number(/^millrace_buffer_pool_bytes (\d+)/m.exec(text)?.[1]);
}
