import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { createdTopic, frameOf, headOf, readAll, readFrame, textOf, writeAfter } from "./topic-writes.js";

const writers = 8;
const batches = 20;

/** Two nodes write to Postgres, one to PGlite, which has only one connection. */
describe.each(databaseKinds)("Store on %s, with parallel writers", (kind) => {
  let database: TestDatabase;
  let stores: Store[];
  let store: Store;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
    stores = kind === "postgres" ? [store, await database.openStore()] : [store];
  });
  afterAll(() => database?.drop());

  /** As the engine does: compare and append, then append under the lock if another was faster. Returns the write. */
  async function write(writer: number, topicId: number, ranges: Map<string, number>): Promise<number> {
    const own = stores[writer % stores.length] as Store;
    let moved = 0;
    for (let batch = 0; batch < batches; batch++) {
      const name = `${writer}.${batch}`;
      const frames = Array.from({ length: 1 + ((writer + batch) % 5) }, (_, index) => frameOf(`${name}.${index}`));
      const producers = (first: number) => [
        {
          id: String(writer),
          generation: 1,
          nextSequence: batch + 1,
          recent: [{ firstOffset: first, nextOffset: first + frames.length }],
        },
      ];
      const head = await headOf(own, topicId);
      let first = head.nextOffset;
      if ((await own.append(writeAfter(head, frames, { producers: producers(first) }))) === "moved") {
        moved++;
        const outcome = await own.appendLocked({
          topicId,
          producerIds: [String(writer)],
          decide: (view) => {
            expect(view.producers[0]?.nextSequence ?? 0).toBe(batch);
            first = view.head.nextOffset;
            return writeAfter(view.head, frames, { producers: producers(first) });
          },
        });
        expect(outcome).toBe("committed");
      }
      ranges.set(name, first);
    }
    return moved;
  }

  test("offsets, are gapless, no batch is torn, and each record is at its acknowledged offset", async () => {
    const { head } = await createdTopic(store, "shared");
    const ranges = new Map<string, number>();
    const moved = await Promise.all(
      Array.from({ length: writers }, (_, writer) => write(writer, head.topicId, ranges)),
    );
    // Otherwise the test proves nothing.
    expect(moved.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(0);
    const texts = (await readAll(store, head.topicId)).map(textOf);
    const after = await headOf(store, head.topicId);
    expect(texts.length).toBe(after.nextOffset);
    for (const [name, first] of ranges) {
      const [writer = 0, batch = 0] = name.split(".").map(Number);
      const length = 1 + ((writer + batch) % 5);
      expect(texts.slice(first, first + length)).toEqual(Array.from({ length }, (_, index) => `${name}.${index}`));
    }
    const view = await store.readView(
      head.topicId,
      Array.from({ length: writers }, (_, writer) => String(writer)),
    );
    expect(view?.producers.map((producer) => producer.nextSequence)).toEqual(Array(writers).fill(batches));
  });

  test("readers, see every offset below one that they see, while writers and a trim run", async () => {
    const { head } = await createdTopic(store, "watched");
    const { topicId } = head;
    const ranges = new Map<string, number>();
    let isWriting = true;
    const reader = async (own: Store) => {
      let from = 0;
      let isLast = false;
      while (!isLast) {
        isLast = !isWriting;
        const read = await own.readPage({ topicId, direction: "forward", from, records: 50, bytes: 500 });
        if (read === undefined) throw new Error("The topic is gone");
        // A page, or a head that explains why there is none: the end, or a trim.
        if (read.page !== undefined) from = read.page.next;
        else if (from < read.head.earliestOffset) from = read.head.earliestOffset;
        else expect(from).toBe(read.head.nextOffset);
        if (from < read.head.nextOffset) isLast = false;
      }
      return from;
    };
    const readers = stores.map(reader);
    const trimmer = async () => {
      for (let before = 10; isWriting; before += 10) {
        await store.trimTopic(topicId, before);
        await store.deleteTrimmed({ topicId, count: 7 });
      }
    };
    const trimming = trimmer();
    await Promise.all([0, 1, 2, 3].map((writer) => write(writer, topicId, ranges)));
    isWriting = false;
    await trimming;
    const { nextOffset } = await headOf(store, topicId);
    expect(await Promise.all(readers)).toEqual(stores.map(() => nextOffset));
  });

  test("a topic that is deleted and closed while writers run leaves no record behind", async () => {
    const { head } = await createdTopic(store, "short-lived");
    const { topicId } = head;
    const writing = Promise.all(
      Array.from({ length: 4 }, async (_, writer) => {
        const own = stores[writer % stores.length] as Store;
        for (;;) {
          const outcome = await own.appendLocked({
            topicId,
            producerIds: [],
            decide: (view) =>
              writeAfter(view.head, [frameOf(String(writer))], {
                producers: [{ id: String(writer), generation: 1, nextSequence: 0, recent: [] }],
              }),
          });
          if (outcome === undefined) return;
        }
      }),
    );
    await expect.poll(async () => (await headOf(store, topicId)).nextOffset).toBeGreaterThan(8);
    await store.deleteTopic(topicId);
    await writing;
    for (let count = 1; count > 0; ) count = await store.deleteOrphans(3);
    expect(await readFrame(store, topicId, 0)).toBeUndefined();
  });
});
