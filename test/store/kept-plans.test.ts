import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StoredTopic } from "../../src/store/index.js";
import { openPostgresStore } from "../../src/store/postgres/index.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { createTestDatabase, runOn, type TestDatabase } from "../support/database.js";
import { append, createdTopic, frameOf, textOf } from "./topic-writes.js";

let database: TestDatabase;
let url = "";

beforeAll(async () => {
  database = await createTestDatabase("postgres");
  if (database.connection.kind === "postgres") url = database.connection.url;
});

afterAll(() => database.drop());

async function readFirst(store: Awaited<ReturnType<TestDatabase["openStore"]>>, { head }: StoredTopic) {
  const read = await store.readPage({ topicId: head.topicId, direction: "forward", from: 0, records: 10, bytes: 1000 });
  return read?.page === undefined ? undefined : textOf(Buffer.from(read.page.frames));
}

test("a connection keeps the plan of a page while it lives, and leaves nothing behind", async () => {
  const store = await database.openStore({ connections: 1 });
  const topic = await createdTopic(store, "plans");
  await append(store, topic.head.topicId, [frameOf("first")]);
  for (let time = 0; time < 3; time += 1) expect(await readFirst(store, topic)).toBe("first");
  const functions = "select count(*) from pg_proc where proname like 'millrace_read%'";
  expect((await runOn(url, functions)).rows).toEqual([{ count: "1" }]);
  await store.close();
  await expect.poll(async () => (await runOn(url, functions)).rows).toEqual([{ count: "0" }]);
});

test("a user who may not create temporary objects can still read", async () => {
  const store = await database.openStore({ connections: 1 });
  const topic = await createdTopic(store, "refused");
  await append(store, topic.head.topicId, [frameOf("there")]);
  await store.close();
  const user = `reader_${randomBytes(4).toString("hex")}`;
  const name = new URL(url).pathname.slice(1);
  await runOn(
    url,
    `create role ${user} login password 'x'; grant usage on schema millrace to ${user};
    grant select, insert, update, delete on all tables in schema millrace to ${user};
    revoke temporary on database ${name} from public`,
  );
  const restricted = new URL(url);
  restricted.username = user;
  restricted.password = "x";
  try {
    const reader = await openPostgresStore({
      connection: { kind: "postgres", url: restricted.href },
      logger: silentLogger,
    });
    for (let time = 0; time < 3; time += 1) expect(await readFirst(reader, topic)).toBe("there");
    await reader.close();
  } finally {
    await runOn(url, `grant temporary on database ${name} to public; drop owned by ${user}; drop role ${user}`);
  }
});
