import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createClient } from "../../src/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { openProxy } from "../support/database-proxy.js";
import { killServerProcesses, startServerProcess } from "../support/server-process.js";

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase("postgres");
});
afterEach(killServerProcesses);
afterAll(() => database?.drop());

test("appends are acknowledged again five seconds after a database that dropped all packets for two, at default settings", async () => {
  const proxy = await openProxy(new URL((database.connection as { url: string }).url));
  const server = await startServerProcess(["--listen", "127.0.0.1:0", "--database-url", proxy.url]);
  const millrace = createClient({ address: server.address });
  const publisher = millrace.publisher("swallowed", { backoff: { minMs: 50, maxMs: 500 } });
  await publisher.publish({ text: "before" });
  proxy.silence();
  const during = publisher.publish({ text: "during" });
  const silentAtMs = performance.now();
  await expect.poll(() => performance.now() - silentAtMs, { timeout: 10_000 }).toBeGreaterThan(2000);
  proxy.speak();
  const spokeAtMs = performance.now();
  await during;
  console.log(`acknowledged ${((performance.now() - spokeAtMs) / 1000).toFixed(1)} s after`);
  expect(performance.now() - spokeAtMs).toBeLessThan(5000);
  await publisher.close();
  const { nextOffset } = await millrace.topics.get("swallowed");
  expect(nextOffset).toBe(2);
  millrace.close();
  await server.stop();
  await proxy.close();
});
