import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AppendWrite, Head, Store } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { append, createdTopic, frameOf, headOf, readAll, textOf, writeAfter } from "./topic-writes.js";

describe.each(databaseKinds)("appendTogether() on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let topics = 0;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore({ blockBytes: 40 });
  });
  afterAll(() => database?.drop());

  const createTopics = async (count: number, keyed = false): Promise<Head[]> => {
    const heads: Head[] = [];
    while (heads.length < count) heads.push((await createdTopic(store, `together/${topics++}`, { keyed })).head);
    return heads;
  };
  const textsOf = async ({ topicId }: Head) => (await readAll(store, topicId)).map(textOf);

  test("appends to each topic whose view is current, and to no other", async () => {
    const [one, moved, closed, older, gone] = (await createTopics(5)) as [Head, Head, Head, Head, Head];
    await append(store, moved.topicId, [frameOf("first")]);
    await store.closeTopic(closed.topicId);
    await store.deleteTopic(gone.topicId);
    const writes = [one, moved, closed, { ...older, epoch: 8 }, gone].map((head) => writeAfter(head, [frameOf("x")]));
    expect(await store.appendTogether(writes)).toEqual(new Set([one.topicId]));
    expect(await textsOf(one)).toEqual(["x"]);
    expect(await textsOf(moved)).toEqual(["first"]);
    expect(await textsOf(closed)).toEqual([]);
  });

  test("any sequence of calls has the result of single appends", async () => {
    const write = fc.record({
      topic: fc.nat({ max: 5 }),
      sizes: fc.array(fc.integer({ min: 8, max: 60 }), { minLength: 1, maxLength: 5 }),
    });
    const call = fc.uniqueArray(write, { selector: ({ topic }) => topic, minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 5 }), async (calls) => {
        const heads = await createTopics(6);
        const model = heads.map(() => [] as string[]);
        let written = 0;
        for (const writes of calls) {
          const all: AppendWrite[] = [];
          for (const { topic, sizes } of writes) {
            const frames = sizes.map((size) => frameOf(String(written++), size));
            all.push(writeAfter(await headOf(store, (heads[topic] as Head).topicId), frames));
            model[topic]?.push(...frames.map(textOf));
          }
          expect((await store.appendTogether(all)).size).toBe(all.length);
        }
        for (const [index, head] of heads.entries()) {
          expect(await textsOf(head)).toEqual(model[index]);
          const bytes = (await readAll(store, head.topicId)).reduce((sum, frame) => sum + frame.length, 0);
          expect(await headOf(store, head.topicId)).toMatchObject({
            nextOffset: model[index]?.length,
            nextBytes: bytes,
          });
        }
      }),
      { numRuns: 15 },
    );
  });

  test("writes states and producers of each topic", async () => {
    const [keyed] = (await createTopics(1, true)) as [Head];
    const [plain] = (await createTopics(1)) as [Head];
    const state = [{ key: "a", index: 1, isTombstone: false, place: undefined }];
    const producers = [{ id: "p", generation: 1, nextSequence: 1, recent: [{ firstOffset: 0, nextOffset: 2 }] }];
    const frames = [frameOf("0"), frameOf("1")];
    await store.appendTogether([
      writeAfter(plain, [frameOf("plain")]),
      writeAfter(keyed, frames, { state, producers }),
    ]);
    const found = await store.readState({ topicId: keyed.topicId, keys: ["a"], bytes: 1000 });
    expect(found?.frames).toEqual(frames[1]);
    expect((await store.readView(keyed.topicId, ["p"]))?.producers).toEqual(producers);
    expect((await store.readView(plain.topicId, ["p"]))?.producers).toEqual([]);
  });
});

test("a locked topic delays no other topic", async () => {
  const database = await createTestDatabase("postgres");
  const store = await database.openStore();
  const one = (await createdTopic(store, "one")).head;
  const locked = (await createdTopic(store, "locked")).head;
  const blocker = new pg.Client({ connectionString: (database.connection as { url: string }).url });
  await blocker.connect();
  await blocker.query("begin");
  await blocker.query("select from millrace.topic_heads where topic_id = $1 for update", [locked.topicId]);
  const writes = [one, locked].map((head) => writeAfter(head, [frameOf("x")]));
  expect(await store.appendTogether(writes)).toEqual(new Set([one.topicId]));
  await blocker.query("rollback");
  await blocker.end();
  await database.drop();
});
