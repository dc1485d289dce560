import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { append, createdTopic, frameOf } from "./topic-writes.js";

describe.each(databaseKinds)("readFirstFrames() on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
  });
  afterAll(() => database?.drop());

  async function topicOf(name: string, frames: readonly Buffer[]): Promise<number> {
    const { topicId } = (await createdTopic(store, name)).head;
    if (frames.length > 0) await append(store, topicId, frames);
    return topicId;
  }

  test("returns the first record of each topic, of any length", async () => {
    const long = frameOf("long", 100_000);
    const whole = await topicOf("whole", [frameOf("first"), frameOf("second")]);
    const trimmed = await topicOf(
      "trimmed",
      ["a", "b", "c"].map((text) => frameOf(text, 3000)),
    );
    await store.trimTopic(trimmed, 1);
    const large = await topicOf("large", [long, frameOf("behind")]);
    const later = await topicOf("later", [frameOf("before"), long]);
    await store.trimTopic(later, 1);
    const found = await store.readFirstFrames([whole, trimmed, large, later]);
    const texts = [...found].map(([topicId, frame]) => [topicId, Buffer.from(frame)]);
    expect(new Map(texts as [number, Buffer][])).toEqual(
      new Map([
        [whole, frameOf("first")],
        [trimmed, frameOf("b", 3000)],
        [large, long],
        [later, long],
      ]),
    );
  });

  test("leaves out topics without records, and deleted topics", async () => {
    const empty = await topicOf("empty", []);
    const emptied = await topicOf("emptied", [frameOf("a"), frameOf("b")]);
    await store.trimTopic(emptied, 2);
    const gone = await topicOf("gone", [frameOf("a")]);
    await store.deleteTopic(gone);
    expect(await store.readFirstFrames([empty, emptied, gone])).toEqual(new Map());
    expect(await store.readFirstFrames([])).toEqual(new Map());
  });
});
