import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noRetention, type Retention } from "../../src/core/index.js";
import type { Head, Store } from "../../src/store/index.js";
import type { Frames } from "../../src/wire/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { framesOf } from "../support/frames.js";
import { createdTopic, frameOf, headOf, writeAfter } from "./topic-writes.js";

const second = 1_000_000;
const startMicros = 1_700_000_000 * second + 123_456;

/** Frames as they are stored: with the time of their commit. */
function split({ bytes, ends }: Frames): Buffer[] {
  return [...ends].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

describe.each(databaseKinds)("Retention on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let topics = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    // One block for each record.
    store = await database.openStore({ blockBytes: 1 });
  });
  afterAll(() => database.drop());

  async function append(head: Head, sizes: readonly number[], timeMicros: number): Promise<Head> {
    const frames = split(framesOf(sizes, head.nextOffset, timeMicros));
    expect(await store.append(writeAfter(head, frames, { timeMicros }))).toBe("appended");
    return headOf(store, head.topicId);
  }

  async function topicWith(retention: Partial<Retention>): Promise<Head> {
    topics += 1;
    return (await createdTopic(store, `retained/${topics}`, { retention: { ...noRetention, ...retention } })).head;
  }

  const apply = (
    topicId: number,
    nowMicros = startMicros,
    more: { defaults?: Retention; beforeOffset?: number } = {},
  ) => store.applyRetention({ topicId, nowMicros, defaults: noRetention, ...more });

  test("a topic, returns its retention, which can be changed", async () => {
    const retention = { ageMs: 1000, records: 2 ** 53 - 1, bytes: 7 };
    const { topicId, version } = await topicWith(retention);
    expect(await store.findTopic(`retained/${topics}`)).toMatchObject({ retention });
    const changed = await store.updateTopic(topicId, { retention: { records: 0 } });
    // No append depends on it.
    expect(changed).toMatchObject({ retention: { ...retention, records: 0 }, head: { version } });
    expect((await store.updateTopic(topicId, { labels: new Map() }))?.retention).toEqual(changed?.retention);
  });

  test("applyRetention(), keeps the newest records by count, and fails no append that was decided before", async () => {
    let head = await topicWith({ records: 3 });
    head = await append(head, [1, 2, 3, 4, 5], startMicros);
    const trimmed = await apply(head.topicId);
    expect(trimmed).toMatchObject({ earliestOffset: 2, nextOffset: 5, version: head.version });
    expect(trimmed?.earliestBytes).toBe(head.nextBytes - framesOf([3, 4, 5], 2).bytes.length);
    expect(trimmed).toEqual(await headOf(store, head.topicId));
    expect(await apply(head.topicId)).toBeUndefined();
    expect(await store.findTrimmed(1000)).toContain(head.topicId);
    // On the head before the trim.
    expect(await store.append(writeAfter(head, [frameOf("late")]))).toBe("appended");
    expect(await apply(head.topicId)).toMatchObject({ earliestOffset: 3, nextOffset: 6 });
    expect(await store.deleteTrimmed({ topicId: head.topicId, count: 100 })).toBe(3);
    expect(await store.deleteTrimmed({ topicId: head.topicId, count: 100 })).toBe(0);
    expect(await apply(999_999)).toBeUndefined();
  });

  test("applyRetention(), uses the node's default where the topic has no setting", async () => {
    const own = await append(await topicWith({ records: 2 }), [1, 1, 1, 1], startMicros);
    const none = await append(await topicWith({}), [1, 1, 1, 1], startMicros);
    const defaults = { ...noRetention, records: 3 };
    expect(await apply(none.topicId)).toBeUndefined();
    expect(await apply(none.topicId, startMicros, { defaults })).toMatchObject({ earliestOffset: 1 });
    expect(await apply(own.topicId, startMicros, { defaults })).toMatchObject({ earliestOffset: 2 });
  });

  test("applyRetention(), removes records whose lifetime is over from the front, whatever the bounds keep", async () => {
    const { topicId } = await append(await topicWith({}), [1, 1, 1], startMicros);
    expect(await apply(topicId, startMicros, { beforeOffset: 2 })).toMatchObject({ earliestOffset: 2 });
    expect(await apply(topicId, startMicros, { beforeOffset: 1 })).toBeUndefined();
    const whole = await apply(topicId, startMicros, { beforeOffset: 99 });
    expect(whole).toMatchObject({ earliestOffset: 3, nextOffset: 3 });
    expect(whole?.earliestBytes).toBe(whole?.nextBytes);
  });

  test("applyRetention() on many nodes at once, while another appends, raises the front once", async () => {
    let head = await append(await topicWith({ records: 10 }), Array<number>(40).fill(1), startMicros);
    const { topicId } = head;
    for (let round = 0; round < 5; round += 1) {
      const [, ...trims] = await Promise.all([
        append(head, [1, 1, 1], startMicros),
        ...Array.from({ length: 4 }, () => apply(topicId)),
      ]);
      head = await headOf(store, topicId);
      for (const trim of trims) expect(trim?.earliestOffset ?? 0).toBeLessThanOrEqual(head.nextOffset - 10);
      await apply(topicId);
      expect((await headOf(store, topicId)).earliestOffset).toBe(head.nextOffset - 10);
    }
    let deleted = 0;
    for (let step = 1; step > 0; deleted += step) step = await store.deleteTrimmed({ topicId, count: 7 });
    expect(deleted).toBe(head.nextOffset - 10);
    const page = await store.readPage({
      topicId,
      direction: "forward",
      from: head.nextOffset - 10,
      records: 99,
      bytes: 9999,
    });
    expect(page?.page).toMatchObject({ first: head.nextOffset - 10, next: head.nextOffset });
  });

  test("any appends at any times, under any bounds, keep what the model keeps", async () => {
    const commit = fc.record({
      sizes: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 6 }),
      waitMicros: fc.oneof(fc.constant(0), fc.nat({ max: 5 * second })),
      trims: fc.boolean(),
    });
    const bounds = fc.record({
      ageMs: fc.oneof(fc.constant(0), fc.integer({ min: 1000, max: 8000 })),
      records: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 12 })),
      bytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2000 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(commit, { minLength: 1, maxLength: 6 }), bounds, async (commits, retention) => {
        let head = await topicWith(retention);
        const model: { bytes: number; timeMicros: number }[] = [];
        let now = startMicros;
        let earliest = 0;
        for (const { sizes, waitMicros, trims } of commits) {
          now += waitMicros;
          head = await append(head, sizes, now);
          model.push(...split(framesOf(sizes, 0, now)).map(({ length }) => ({ bytes: length, timeMicros: now })));
          if (!trims) continue;
          const bytesFrom = (offset: number) => model.slice(offset).reduce((sum, { bytes }) => sum + bytes, 0);
          const leaves = (offset: number) =>
            (retention.records > 0 && offset < model.length - retention.records) ||
            (retention.bytes > 0 && bytesFrom(offset + 1) >= retention.bytes) ||
            (retention.ageMs > 0 && (model[offset]?.timeMicros ?? 0) < now - retention.ageMs * 1000);
          const before = earliest;
          while (earliest < model.length && leaves(earliest)) earliest += 1;
          const request = { after: head.topicId - 1, count: 1, nowMicros: now, defaults: noRetention };
          const isRetained = retention.ageMs + retention.records + retention.bytes > 0;
          if (isRetained) {
            const found = await store.findOverdue(request);
            expect(found).toEqual({ topicIds: earliest > before ? [head.topicId] : [], after: head.topicId });
          }
          const trimmed = await apply(head.topicId, now);
          if (earliest === before) expect(trimmed).toBeUndefined();
          else {
            const earliestBytes = head.nextBytes - bytesFrom(earliest);
            expect(trimmed).toEqual({ ...head, earliestOffset: earliest, earliestBytes });
          }
          await store.deleteTrimmed({ topicId: head.topicId, count: 2 });
          head = await headOf(store, head.topicId);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("findOverdue(), pages over topics with a bound, or over all topics if there is a default", async () => {
    const over = await append(await topicWith({ records: 1 }), [1, 1], startMicros);
    const within = await append(await topicWith({ records: 5 }), [1, 1], startMicros);
    const free = await append(await topicWith({}), [1, 1], startMicros);
    const find = async (defaults: Retention, count: number) => {
      const topicIds: number[] = [];
      for (let after: number | undefined = over.topicId - 1; after !== undefined; ) {
        const read: Awaited<ReturnType<Store["findOverdue"]>> = await store.findOverdue({
          after,
          count,
          nowMicros: startMicros,
          defaults,
        });
        topicIds.push(...read.topicIds);
        after = read.after;
      }
      return topicIds;
    };
    for (const count of [1, 2, 100]) {
      expect(await find(noRetention, count)).toEqual([over.topicId]);
      expect(await find({ ...noRetention, bytes: 1 }, count)).toEqual([over.topicId, within.topicId, free.topicId]);
    }
  });

  test("findExpiring(), returns topics that ever had a record with a lifetime", async () => {
    const plain = await append(await topicWith({}), [1], startMicros);
    let expiring = await append(await topicWith({}), [1], startMicros);
    expect(expiring.expiring).toBe(false);
    const write = (expires: boolean) => writeAfter(expiring, [frameOf("x")], { expires });
    expect(await store.append(write(true))).toBe("appended");
    expiring = await headOf(store, expiring.topicId);
    expect(expiring.expiring).toBe(true);
    expect(await store.append(write(false))).toBe("appended");
    const { topicId } = expiring;
    expect(await store.findExpiring(plain.topicId - 1, 10)).toEqual([await headOf(store, topicId)]);
    expect(await store.findExpiring(topicId, 10)).toEqual([]);
    const read = await store.readPage({ topicId, direction: "forward", from: 0, records: 1, bytes: 99 });
    expect(read?.head.expiring).toBe(true);
  });

  test("a state, leaves out records after their lifetime, deletes them in the background, and accepts their keys again", async () => {
    topics += 1;
    let { head } = await createdTopic(store, `retained/${topics}`, { keyed: true });
    const { topicId } = head;
    const set = async (key: string, expiryMicros: number | undefined, isTombstone = false) => {
      const state = [{ key, index: 0, isTombstone, place: undefined, expiryMicros }];
      expect(await store.append(writeAfter(head, [frameOf(key)], { state }))).toBe("appended");
      head = await headOf(store, topicId);
    };
    await set("a", 5);
    await set("b", undefined);
    await set("c", 9);
    await set("gone", 5, true);
    const bounds = { topicId, prefix: "", records: 10, rows: 10, bytes: 999 };
    const recordsAt = async (unexpiredAt: number) => {
      const path = "whole" as const;
      const search = { ...bounds, rectangle: undefined, needles: [], path, unexpiredAt };
      const reads = [
        await store.listState({ ...bounds, after: undefined, unexpiredAt }),
        await store.searchState({ ...search, order: { by: "key", after: undefined } }),
        await store.searchState({ ...search, order: { by: "offset", from: 0, until: 99 } }),
        await store.readStateChanges({ ...bounds, from: 0, tombstonesFrom: 99, unexpiredAt }),
      ];
      const ofKeys = await store.readState({ topicId, keys: ["a", "b", "c", "gone"], bytes: 999, unexpiredAt });
      return [ofKeys?.records, ...reads.map((read) => read?.page?.records)];
    };
    expect(await recordsAt(4)).toEqual([3, 3, 3, 3, 3]);
    expect(await recordsAt(5)).toEqual([2, 2, 2, 2, 2]);
    // For a watcher, the end of a lifetime is a removal, as a tombstone is, and it is purged like one.
    const changes = { ...bounds, from: 0, tombstonesFrom: 0, unexpiredAt: 100 };
    expect((await store.readStateChanges(changes))?.page?.records).toBe(4);
    expect(await store.findOldTombstones(5, 10)).toEqual([]);
    const [old] = await store.findOldTombstones(6, 1);
    expect(old?.topicId).toBe(topicId);
    await set("c", undefined);
    await set("a", undefined);
    expect(await recordsAt(100)).toEqual([3, 3, 3, 3, 3]);
  });
});
