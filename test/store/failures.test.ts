import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { sql } from "kysely";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Store, StoreUnavailableError } from "../../src/store/index.js";
import { openEmbedded } from "../../src/store/postgres/database/open-embedded.js";
import { openPostgres } from "../../src/store/postgres/database/open-postgres.js";
import { prepareStatement } from "../../src/store/postgres/statement.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { createTestDatabase, runOn, type TestDatabase } from "../support/database.js";
import { openProxy } from "../support/database-proxy.js";
import { startPostgresServer } from "../support/postgres-server.js";
import { append, createdTopic, frameOf, headOf, readAll, textOf, writeAfter } from "./topic-writes.js";

const unavailable = (outcomeUnknown: boolean) =>
  expect.objectContaining({ name: "StoreUnavailableError", outcomeUnknown });

const selectOne = prepareStatement({ values: {}, build: () => sql<{ one: number }>`select 1 as one` });
const selectPid = prepareStatement({ values: {}, build: () => sql<{ pid: number }>`select pg_backend_pid() as pid` });

const postgresOptions = {
  connections: 1,
  poolWaitMs: 5000,
  connectTimeoutMs: 5000,
  statementTimeoutMs: 5000,
  idleInTransactionMs: 5000,
  logger: silentLogger,
  metrics: undefined,
};

describe("Store on a Postgres that fails", () => {
  let database: TestDatabase;
  let url: string;
  let blocker: pg.Client;
  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    url = (database.connection as { url: string }).url;
  });
  afterAll(() => database?.drop());
  beforeEach(async () => {
    blocker = new pg.Client({ connectionString: url });
    await blocker.connect();
  });
  afterEach(() => blocker.end());

  let topics = 0;
  async function lockedTopic(store: Store) {
    const { head } = await createdTopic(store, `topic-${topics++}`);
    await blocker.query("begin");
    await blocker.query("select from millrace.topic_heads where topic_id = $1 for update", [head.topicId]);
    return head;
  }

  /** Our backends that wait for a lock. */
  async function waitingBackends(): Promise<number[]> {
    const { rows } = await runOn(
      url,
      `select pid from pg_stat_activity
       where datname = current_database() and application_name = 'millrace' and wait_event_type = 'Lock'`,
    );
    return rows.map((row: { pid: number }) => row.pid);
  }

  test("append(), whose backend is terminated, has an unknown outcome, and the next append works", async () => {
    const store = await database.openStore();
    const head = await lockedTopic(store);
    const outcome = store.append(writeAfter(head, [frameOf("a")])).catch((error: unknown) => error);
    await expect.poll(waitingBackends).toHaveLength(1);
    await runOn(url, `select pg_terminate_backend(${(await waitingBackends())[0]})`);
    expect(await outcome).toBeInstanceOf(StoreUnavailableError);
    expect(await outcome).toEqual(unavailable(true));
    await blocker.query("rollback");
    expect(await append(store, head.topicId, [frameOf("b")])).toMatchObject({ nextOffset: 1 });
  });

  test("appendLocked(), whose backend is terminated before COMMIT, wrote nothing", async () => {
    const store = await database.openStore();
    const head = await lockedTopic(store);
    const outcome = store
      .appendLocked({ topicId: head.topicId, producerIds: [], decide: (view) => writeAfter(view.head, [frameOf("a")]) })
      .catch((error: unknown) => error);
    await expect.poll(waitingBackends).toHaveLength(1);
    await runOn(url, `select pg_terminate_backend(${(await waitingBackends())[0]})`);
    expect(await outcome).toEqual(unavailable(false));
    await blocker.query("rollback");
    expect(await headOf(store, head.topicId)).toEqual(head);
  });

  test("a connection that breaks at any byte of its answers is unavailable, and an unsent statement was not executed", async () => {
    const target = new URL(url);
    const messages = new Set<string>();
    // Cuts the handshake, the answer to the settings, or the answer to the statement.
    for (let bytes = 1; bytes < 1400; bytes += 74) {
      const proxy = await openProxy(target, bytes);
      const connection = openPostgres({ ...postgresOptions, url: proxy.url });
      const rows = await connection.run(selectOne, {}).catch((error: unknown) => error);
      if (rows instanceof Error) {
        messages.add(rows.message.split(":")[0] ?? "");
        expect({ bytes, name: rows.name }).toEqual({ bytes, name: "StoreUnavailableError" });
      }
      await connection.close();
      await proxy.close();
    }
    expect([...messages]).toEqual(["Cannot connect to the database", "Lost the database connection"]);

    const database = openPostgres({ ...postgresOptions, url });
    const outcome = database.withConnection(async (pooled) => {
      const [row] = await pooled.run(selectPid, {});
      await runOn(url, `select pg_terminate_backend(${row?.pid})`);
      // A statement may be sent before the client notices the end of the connection. From then on pg refuses all.
      for (let error: unknown; ; ) {
        error = await pooled.run(selectOne, {}).catch((thrown: unknown) => thrown);
        if (error instanceof Error && error.message === "the connection was broken") throw error;
      }
    });
    await expect(outcome).rejects.toEqual(unavailable(false));
    await database.close();
  });

  test("a connect whose answers are dropped is abandoned long before the wait for a connection ends", async () => {
    const proxy = await openProxy(new URL(url));
    const connection = openPostgres({ ...postgresOptions, url: proxy.url, poolWaitMs: 60_000, connectTimeoutMs: 200 });
    proxy.silence();
    await expect(connection.run(selectOne, {})).rejects.toEqual(unavailable(false));
    proxy.speak();
    await expect.poll(() => connection.run(selectOne, {}).catch(() => [])).toHaveLength(1);
    await connection.close();
    await proxy.close();
  });

  test("a statement that times out writes nothing, and its connection stays usable", async () => {
    const store = await database.openStore({ statementTimeoutMs: 200, connections: 1 });
    const head = await lockedTopic(store);
    const write = writeAfter(head, [frameOf("a")]);
    await expect(store.append(write)).rejects.toEqual(unavailable(false));
    await expect(store.appendLocked({ topicId: head.topicId, producerIds: [], decide: () => write })).rejects.toEqual(
      unavailable(false),
    );
    await blocker.query("rollback");
    expect(await store.append(write)).toBe("appended");
  });

  test("a pool with every connection in use refuses after its wait, and works afterwards", async () => {
    const store = await database.openStore({ connections: 2, poolWaitMs: 200 });
    const head = await lockedTopic(store);
    const write = writeAfter(head, [frameOf("a")]);
    const blocked = [store.append(write), store.append(write)];
    await expect.poll(waitingBackends).toHaveLength(2);
    await expect(store.findTopic("any")).rejects.toThrow("all 2 are in use");
    await expect(store.findTopic("any")).rejects.toEqual(unavailable(false));
    await blocker.query("rollback");
    expect((await Promise.all(blocked)).sort()).toEqual(["appended", "moved"]);
  });

  test("append(), whose answer is lost, has an unknown outcome, although it was committed", async () => {
    const proxy = await openProxy(new URL(url));
    const store = await database.openStore({
      connection: { kind: "postgres", url: proxy.url },
      connections: 1,
      statementTimeoutMs: 300,
    });
    const { head } = await createdTopic(store, "silent");
    proxy.silence();
    // The connection stays open and silent: the store abandons it.
    await expect(store.append(writeAfter(head, [frameOf("a")]))).rejects.toEqual(unavailable(true));
    proxy.cut();
    await expect.poll(() => headOf(store, head.topicId).catch(() => undefined)).toMatchObject({ nextOffset: 1 });

    const cut = store
      .appendLocked({
        topicId: head.topicId,
        producerIds: [],
        decide: (view) => {
          proxy.silence();
          return writeAfter(view.head, [frameOf("b")]);
        },
      })
      .catch((error: unknown) => error);
    expect(await cut, "COMMIT was not sent").toEqual(unavailable(false));
    proxy.cut();
    await expect.poll(() => headOf(store, head.topicId).catch(() => undefined)).toMatchObject({ nextOffset: 1 });
    await store.close();
    await proxy.close();
  });

  test("a connection whose answer was dropped is abandoned as soon as the server reports it idle", async () => {
    const proxy = await openProxy(new URL(url));
    // No timeout abandons it.
    const connection = { kind: "postgres", url: proxy.url } as const;
    const store = await database.openStore({ connection, connections: 2, statementTimeoutMs: 600_000 });
    const { head } = await createdTopic(store, "swallowed");
    proxy.silence();
    const write = writeAfter(head, [frameOf("a")]);
    const swallowed = store.append(write).catch((error: unknown) => error);
    const written = `select from millrace.blocks where topic_id = ${head.topicId}`;
    await expect.poll(async () => (await runOn(url, written)).rowCount).toBe(1);
    proxy.speak();
    expect(await swallowed).toEqual(unavailable(true));
    expect(await headOf(store, head.topicId)).toMatchObject({ nextOffset: 1 });
    // A statement that the server is executing is waited for.
    const locked = await lockedTopic(store);
    const waiting = store.append(writeAfter(locked, [frameOf("b")]));
    await expect.poll(waitingBackends).toHaveLength(1);
    const startedAtMs = performance.now();
    await expect.poll(() => performance.now() - startedAtMs, { timeout: 10_000 }).toBeGreaterThan(3500);
    await blocker.query("rollback");
    expect(await waiting).toBe("appended");
    await store.close();
    await proxy.close();
  });

  test("close(), waits for running statements, and refuses later ones", async () => {
    const store = await database.openStore({ connections: 1 });
    const head = await lockedTopic(store);
    const write = writeAfter(head, [frameOf("a")]);
    const underWay = store.append(write);
    const waiting = store.readView(head.topicId, []);
    await expect.poll(waitingBackends).toHaveLength(1);
    const closed = store.close();
    await expect(store.now()).rejects.toEqual(unavailable(false));
    await blocker.query("rollback");
    expect(await underWay).toBe("appended");
    expect((await waiting)?.head.nextOffset).toBe(1);
    await closed;
    await store.close();
  });

  test("openPostgresStore(), refuses at once what waiting does not fix", async () => {
    const other = (change: (url: URL) => void) => {
      const changed = new URL(url);
      change(changed);
      return database.openStore({ connection: { kind: "postgres", url: changed.href }, startTimeoutMs: 3600_000 });
    };
    await expect(other((each) => (each.pathname = "/absent"))).rejects.toThrow(/"absent" does not exist/);
    await expect(other((each) => (each.password = "wrong"))).rejects.toThrow(/password authentication failed/);
  });

  test("openPostgresStore(), gives up on a silent server, and when its signal aborts", async () => {
    const silent = createServer();
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const connection = { kind: "postgres", url: `postgres://u:p@127.0.0.1:${port}/d` } as const;
    await expect(database.openStore({ connection, poolWaitMs: 100, startTimeoutMs: 0 })).rejects.toEqual(
      unavailable(false),
    );
    const stop = new AbortController();
    const opening = database.openStore({ connection, poolWaitMs: 100, signal: stop.signal });
    stop.abort(new Error("stopped"));
    await expect(opening).rejects.toThrow("stopped");
    silent.close();
  });

  test("a role that owns only the schema is sufficient", async () => {
    const role = `millrace_${Date.now()}`;
    const empty = await createTestDatabase("postgres", "empty");
    const admin = (empty.connection as { url: string }).url;
    await runOn(admin, `create role ${role} login password 'secret'`);
    await runOn(admin, `create schema millrace authorization ${role}`);
    const own = new URL(admin);
    own.username = role;
    own.password = "secret";
    const store = await empty.openStore({ connection: { kind: "postgres", url: own.href } });
    const { head } = await createdTopic(store, "least");
    await append(store, head.topicId, [frameOf("a")]);
    expect((await readAll(store, head.topicId)).map(textOf)).toEqual(["a"]);
    expect(await store.reclaimSpace()).toEqual([]);
    await empty.drop();
    await runOn(url, `drop role ${role}`);
  });
});

describe("Store on a Postgres that restarts", () => {
  test("a store, waits for its database at the start, and works again when the database is back", async () => {
    const server = await startPostgresServer(["fsync=off"]);
    const database = await createTestDatabase("postgres");
    try {
      await server.stop();
      const opening = database.openStore({ connection: { kind: "postgres", url: server.url }, connections: 3 });
      await server.start();
      const store = await opening;
      const { head } = await createdTopic(store, "restarted");
      let expected = 0;
      for (let restart = 0; restart < 2; restart++) {
        // Several connections, each with its prepared statements.
        await Promise.all([1, 2, 3].map(() => store.readView(head.topicId, [])));
        await append(store, head.topicId, [frameOf(String(expected++))]);
        await server.stop();
        await expect(store.readView(head.topicId, [])).rejects.toBeInstanceOf(StoreUnavailableError);
        await expect(store.append(writeAfter(head, [frameOf("x")]))).rejects.toEqual(unavailable(false));
        await server.start();
        await expect
          .poll(() => headOf(store, head.topicId).catch(() => undefined), { timeout: 10_000 })
          .toMatchObject({ nextOffset: expected });
      }
      expect((await readAll(store, head.topicId)).map(textOf)).toEqual(["0", "1"]);
    } finally {
      await database.drop();
      await server.remove();
    }
  });
});

test("an embedded database, is unavailable by the same SQLSTATEs as a server", async () => {
  const embedded = await openEmbedded({ ...postgresOptions, folder: "memory", template: undefined });
  const raise = (state: string) =>
    embedded.withConnection((connection) =>
      connection.command(`do $$ begin raise exception 'no room' using errcode = '${state}'; end $$`),
    );
  // Out of disk space, out of memory, cancelled.
  for (const state of ["53100", "53200", "57014"]) {
    await expect(raise(state)).rejects.toEqual(unavailable(false));
    await expect(raise(state)).rejects.toThrow("The database refused a statement: no room");
  }
  await expect(raise("42601")).rejects.not.toBeInstanceOf(StoreUnavailableError);
  expect(await embedded.run(selectOne, {})).toEqual([{ one: 1 }]);
  await embedded.close();
});
