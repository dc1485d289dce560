/** SIGTERM, whatever the database does: the process ends within its grace and a second, with the same exit code. */

import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
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

  async function start(databaseUrl: string): Promise<ServerProcess> {
    const args = ["--listen", "127.0.0.1:0", "--database-url", databaseUrl, "--drain-grace-ms", String(graceMs)];
    const server = await startServerProcess(args);
    millrace = createClient({ address: server.address });
    return server;
  }

  async function expectEnd(server: ServerProcess, line: string): Promise<void> {
    const startedAtMs = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - startedAtMs).toBeLessThan(graceMs + 1000);
    expect(server.lines.at(-1)).toMatch(line);
  }

  test("with nothing to do, ends at once", async () => {
    await expectEnd(await start(url), "Stopped");
  });

  test("with a database that has fallen silent, under a call and without one", async () => {
    for (const isCalled of [true, false]) {
      const proxy = await openProxy(new URL(url));
      const server = await start(proxy.url);
      await millrace?.append("silent", [{ text: "a" }]);
      proxy.silence();
      const lost = isCalled ? millrace?.append("silent", [{ text: "b" }]).catch(() => undefined) : undefined;
      // Its heads are polled every second, so something is always asked.
      await expectEnd(server, "Stopped");
      await lost;
      await proxy.close();
    }
  });

  test("with an append that waits for a lock", async () => {
    const server = await start(url);
    await millrace?.append("locked", [{ text: "a" }]);
    const blocker = new pg.Client({ connectionString: url });
    blocker.on("error", () => undefined);
    await blocker.connect();
    await blocker.query("begin; lock table millrace.records in exclusive mode");
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
