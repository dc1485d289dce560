import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SettledNotice, Store } from "../../src/store/index.js";
import { decodeNotice, encodeNotice } from "../../src/store/postgres/claims/settled-notices.js";
import type { Logger } from "../../src/telemetry/index.js";
import { createTestDatabase, runOn, type TestDatabase } from "../support/database.js";

const notice: SettledNotice = {
  subscriptionId: 3,
  session: 2 ** 47,
  records: [{ firstOffset: 5, nextOffset: 9, attempt: 2 }],
};

describe("notices of what a Commit settled", () => {
  test("encodeNotice(), fits into a payload of Postgres, or leaves the records out", () => {
    expect(decodeNotice(encodeNotice(notice))).toEqual(notice);
    const many = Array.from({ length: 10_000 }, (_, offset) => ({
      firstOffset: 2 * offset,
      nextOffset: 2 * offset + 1,
      attempt: 1,
    }));
    for (const count of [600, 700, 10_000]) {
      const records = many.slice(0, count);
      const payload = encodeNotice({ ...notice, records });
      expect(Buffer.byteLength(payload)).toBeLessThan(8000);
      expect(decodeNotice(payload)).toEqual({ ...notice, records: count === 600 ? records : undefined });
    }
    const unknown = { ...notice, records: undefined };
    expect(decodeNotice(encodeNotice(unknown))).toEqual(unknown);
  });

  test("decodeNotice(), ignores foreign notices, and drops records that it does not understand", () => {
    for (const text of ["", "look", "null", "[]", "{}", '{"subscriptionId":1}', '{"subscriptionId":"1","session":2}']) {
      expect(decodeNotice(text), text).toBeUndefined();
    }
    for (const records of [[1], [[1, 2]], [[2, 1, 1]], [["1", 2, 3]], [[0, 2 ** 50, 1]], {}, "x"]) {
      const text = JSON.stringify({ subscriptionId: 1, session: 2, records });
      expect(decodeNotice(text), text).toEqual({ subscriptionId: 1, session: 2, records: undefined });
    }
  });
});

describe("Store.listenSettled() on postgres", () => {
  let database: TestDatabase;
  let url: string;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    if (database.connection.kind === "postgres") url = database.connection.url;
  });
  afterAll(() => database?.drop());

  const listeners = "datname = current_database() and query like 'listen millrace_settled%'";
  const countListeners = async (): Promise<number> =>
    (await runOn(url, `select count(*)::int from pg_stat_activity where ${listeners}`)).rows[0].count;

  async function listening(logger?: Logger) {
    const store = await database.openStore(logger === undefined ? {} : { logger });
    const heard: SettledNotice[] = [];
    const end = new AbortController();
    let gaps = 0;
    const handlers = {
      onNotice: (told: SettledNotice) => heard.push(told),
      onGap: () => {
        gaps += 1;
      },
    };
    const ended = store.listenSettled(handlers, end.signal);
    await expect.poll(() => gaps).toBe(1);
    return { store, heard, end, ended, gaps: () => gaps };
  }

  test("receives what another node announces, and ignores other notifications", async () => {
    const { store, heard, end, ended } = await listening();
    const other = await database.openStore();
    await runOn(url, "select pg_notify('millrace_settled', 'not ours')");
    await other.announceSettled(notice);
    await expect.poll(() => heard).toEqual([notice]);
    end.abort();
    await ended;
    await expect.poll(countListeners).toBe(0);
    await Promise.all([store.close(), other.close()]);
  });

  test("reconnects when it is killed, logs the loss and the return once, and ends with the store", async () => {
    const lines: string[] = [];
    const log = (_: object, text: string) => void lines.push(text);
    const { store, heard, ended, gaps } = await listening({ debug: log, info: log, warn: log, error: log });
    lines.length = 0;
    await runOn(url, `select pg_terminate_backend(pid, 5000) from pg_stat_activity where ${listeners}`);
    await expect.poll(gaps).toBe(2);
    await store.announceSettled(notice);
    await expect.poll(() => heard).toEqual([notice]);
    expect(lines).toEqual([
      "Lost the connection that receives from other nodes",
      "The connection that receives from other nodes is back",
    ]);
    await store.close();
    await ended;
    expect(await countListeners()).toBe(0);
  });

  test("waits for an unreachable database, and stops when its signal aborts", async () => {
    const { openPostgres } = await import("../../src/store/postgres/database/open-postgres.js");
    const lines: string[] = [];
    const log = (_: object, text: string) => void lines.push(text);
    const away = openPostgres({
      url: "postgres://nobody@127.0.0.1:1/none",
      connections: 1,
      poolWaitMs: 1000,
      connectTimeoutMs: 1000,
      statementTimeoutMs: 1000,
      idleInTransactionMs: 1000,
      logger: { debug: log, info: log, warn: log, error: log },
      metrics: undefined,
    });
    const end = new AbortController();
    const handlers = { onPayload: () => undefined, onGap: () => undefined };
    const ended = away.listen("millrace_settled", handlers, end.signal);
    await expect.poll(() => lines).toEqual(["Lost the connection that receives from other nodes"]);
    end.abort();
    await ended;
    await away.close();
  });
});

test("Store.listenSettled() and announceSettled() on embedded, do nothing, since there is no other node", async () => {
  const database = await createTestDatabase("embedded");
  const store: Store = await database.openStore();
  const handlers = { onNotice: () => undefined, onGap: () => undefined };
  await store.listenSettled(handlers, new AbortController().signal);
  await store.announceSettled(notice);
  await database.drop();
});
