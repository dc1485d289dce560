/** SIGTERM: the process ends within its grace and a second, with the same exit code, whatever the database does. */

import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { deferred } from "../../src/streams/index.js";
import { openProxy } from "../support/database-proxy.js";
import { killServerProcesses, type ServerProcess, startServerProcess } from "../support/server-process.js";

const graceMs = 500;

describe("SIGTERM", () => {
  let database: TestDatabase;
  let url: string;
  let millrace: MillraceClient | undefined;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    url = (database.connection as { url: string }).url;
  });
  afterEach(async () => {
    millrace?.close();
    await killServerProcesses();
  });
  afterAll(() => database?.drop());

  async function start(databaseUrl: string, drainMs = graceMs, listen = "127.0.0.1:0"): Promise<ServerProcess> {
    const args = ["--listen", listen, "--database-url", databaseUrl, "--drain-grace-ms", String(drainMs)];
    const server = await startServerProcess(args);
    millrace = createClient({ address: server.address });
    return server;
  }

  async function expectEnd(server: ServerProcess, line: string): Promise<void> {
    const startedAtMs = performance.now();
    expect(await server.stop()).toBe(0);
    // The database's own limits are ten times as long. A busy machine takes seconds to end a process.
    expect(performance.now() - startedAtMs).toBeLessThan(graceMs + 3000);
    expect(server.lines.at(-1)).toMatch(line);
  }

  test("with nothing to do, ends at once", async () => {
    await expectEnd(await start(url), "Stopped");
  });

  test("with a database that has become silent, during a call and without one", async () => {
    for (const isCalled of [true, false]) {
      const proxy = await openProxy(new URL(url));
      const server = await start(proxy.url);
      await millrace?.append("silent", [{ text: "a" }]);
      proxy.silence();
      const lost = isCalled ? millrace?.append("silent", [{ text: "b" }]).catch(() => undefined) : undefined;
      // Its heads are polled every second, so there is always a running statement.
      await expectEnd(server, "Stopped");
      await lost;
      await proxy.close();
    }
  });

  test("with outstanding records, accepts their verdicts, delivers no more, and redelivers none", async () => {
    const server = await start(url, 20_000);
    const client = millrace as MillraceClient;
    const texts = Array.from({ length: 8 }, (_, index) => ({ text: String(index) }));
    await client.append("in-hand", texts);
    await client.subscriptions.create("in-hand", { topic: "in-hand", start: "earliest" });
    const begun: string[] = [];
    const gate = deferred<void>();
    const over = new AbortController();
    const consuming = client
      .consume("in-hand", { window: { records: 4 }, signal: over.signal })
      .forEach(async ({ record, attempt }) => {
        begun.push(`${record.offset}/${attempt}`);
        await gate.promise;
      })
      .catch((error: unknown) => error);
    await expect.poll(() => begun).toEqual(["0/1"]);
    const stopped = server.stop();
    await expect.poll(() => server.lines.at(-1)).toContain("draining");
    gate.resolve();
    expect(await stopped).toBe(0);
    expect(server.lines.at(-1)).toBe("Stopped");
    expect(begun).toEqual(["0/1", "1/1", "2/1", "3/1"]);
    await start(url, graceMs, server.address);
    await expect.poll(() => begun.length, { timeout: 10_000 }).toBe(8);
    expect(begun.slice(4)).toEqual(["4/1", "5/1", "6/1", "7/1"]);
    over.abort();
    await consuming;
    client.close();
  });

  test("with outstanding records that nobody settles, ends within its grace", async () => {
    const server = await start(url);
    const client = millrace as MillraceClient;
    await client.append("kept", [{ text: "a" }]);
    await client.subscriptions.create("kept", { topic: "kept", start: "earliest" });
    const over = new AbortController();
    let attempt = 0;
    const consuming = client
      .consume("kept", { signal: over.signal })
      .forEach(async ({ signal, ...delivery }) => {
        attempt = delivery.attempt;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      })
      .catch((error: unknown) => error);
    await expect.poll(() => attempt).toBe(1);
    await expectEnd(server, "Stopped");
    over.abort();
    await consuming;
  });

  test("with an append that waits for a lock", async () => {
    const server = await start(url);
    await millrace?.append("locked", [{ text: "a" }]);
    const blocker = new pg.Client({ connectionString: url });
    blocker.on("error", () => undefined);
    await blocker.connect();
    await blocker.query("begin; lock table millrace.blocks in exclusive mode");
    const waiting = millrace?.append("locked", [{ text: "b" }]).catch(() => undefined);
    const isWaiting = async () => {
      const { rows } = await blocker.query("select count(*)::int as n from pg_locks where not granted");
      return rows[0].n as number;
    };
    await expect.poll(isWaiting).toBeGreaterThan(0);
    await expectEnd(server, "Stopped; the database did not answer in time");
    await waiting;
    await blocker.end();
  });
});
