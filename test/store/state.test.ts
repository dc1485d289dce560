import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isInside, type Rectangle } from "../../src/core/index.js";
import type { StateChange, StatePageRead, StateSearchRead, Store } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { placeArbitrary, rectangleArbitrary } from "../support/places.js";
import { createdTopic, frameOf, splitFrames, textOf, writeAfter } from "./topic-writes.js";

/** One record of a key, or its removal. */
interface Change {
  readonly key: string;
  readonly isTombstone: boolean;
  readonly place?: StateChange["place"];
}

const everything = { records: 1000, bytes: 1_000_000 };

function textsOf(read: StatePageRead | StateSearchRead | undefined): string[] {
  return textsIn(read?.page?.frames);
}

function textsIn(frames: Uint8Array | undefined): string[] {
  return frames === undefined ? [] : splitFrames(frames).map(textOf);
}

describe.each(databaseKinds)("The state on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  let topics = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
  });
  afterAll(() => database.drop());

  /** Appends commits of changes to a new topic, with frames that describe them. Returns the topic's id. */
  async function topicOf(commits: readonly (readonly Change[])[]): Promise<number> {
    topics += 1;
    let { head } = await createdTopic(store, `state-${topics}`, { keyed: true });
    expect(head.keyed).toBe(true);
    for (const commit of commits) {
      const state = new Map<string, StateChange>();
      commit.forEach(({ key, isTombstone, place }, index) => state.set(key, { key, index, isTombstone, place }));
      const frames = commit.map(({ key, isTombstone }, index) =>
        frameOf(`${key}${isTombstone ? "-" : "="}${head.nextOffset + index}`),
      );
      const write = writeAfter(head, frames, { state: [...state.values()] });
      expect(await store.append(write)).toBe("appended");
      head = { ...head, nextOffset: head.nextOffset + commit.length, nextBytes: head.nextBytes + write.frames.length };
    }
    return head.topicId;
  }

  const set = (key: string): Change => ({ key, isTombstone: false });
  const remove = (key: string): Change => ({ key, isTombstone: true });

  test("readState(), returns the latest record of each given key, in order, without tombstones", async () => {
    const topicId = await topicOf([[set("b"), set("a"), set("b")], [set("c"), remove("a")], [set("d")]]);
    const keys = ["d", "b", "a", "none", "b"];
    const bytes = 2 * frameOf("b=2").length;
    const read = await store.readState({ topicId, keys, bytes });
    expect(textsIn(read?.frames)).toEqual(["b=2", "d=5"]);
    expect(read).toMatchObject({ records: 2, bytes, head: { nextOffset: 6 } });
    expect(await store.readState({ topicId, keys, bytes: bytes - 1 })).toMatchObject({
      records: 2,
      bytes,
      frames: undefined,
    });
    expect(await store.readState({ topicId, keys: ["a"], bytes })).toMatchObject({
      records: 0,
      frames: Buffer.alloc(0),
    });
    expect(await store.readState({ topicId: 999_999, keys: ["a"], bytes })).toBeUndefined();
  });

  test("listState(), returns keys in the order of their bytes, by prefix, above a key, within its bounds", async () => {
    const keys = ["", "a", "a'\"\\", "a,b}", "ab", "b", "é", "\u{ffff}", "\u{10ffff}", "\u{10ffff}z"].filter(
      (key) => key !== "",
    );
    const topicId = await topicOf([keys.toReversed().map(set)]);
    const list = (prefix: string, after?: string, bounds = everything) =>
      store.listState({ topicId, prefix, after, ...bounds });
    const keysOf = (read: StatePageRead | undefined) =>
      textsOf(read).map((text) => text.slice(0, text.lastIndexOf("=")));
    const byBytes = keys.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
    expect(keysOf(await list(""))).toEqual(byBytes);
    expect(keysOf(await list("a"))).toEqual(byBytes.filter((key) => key.startsWith("a")));
    expect(keysOf(await list("\u{10ffff}"))).toEqual(["\u{10ffff}", "\u{10ffff}z"]);
    expect(keysOf(await list("\u{ffff}"))).toEqual(["\u{ffff}"]);
    expect(keysOf(await list("a", "a"))).toEqual(byBytes.filter((key) => key.startsWith("a") && key !== "a"));
    expect(keysOf(await list("a", "0"))).toEqual(byBytes.filter((key) => key.startsWith("a")));
    expect(keysOf(await list("a", "b"))).toEqual([]);
    const two = await list("", undefined, { records: 2, bytes: 1_000_000 });
    expect(keysOf(two)).toEqual(byBytes.slice(0, 2));
    expect(two?.page).toMatchObject({ records: 2, lastKey: byBytes[1] });
    // One record is always returned, however large.
    expect(keysOf(await list("", undefined, { records: 9, bytes: 1 }))).toEqual(byBytes.slice(0, 1));
  });

  test("readStateChanges(), returns changes since an offset, and tombstones from an offset on", async () => {
    const topicId = await topicOf([
      [set("a"), set("b"), set("c")],
      [remove("b"), set("a")],
    ]);
    const changes = async (from: number, tombstonesFrom: number, prefix = "") =>
      textsOf(await store.readStateChanges({ topicId, prefix, from, tombstonesFrom, ...everything }));
    expect(await changes(0, 0)).toEqual(["c=2", "b-3", "a=4"]);
    expect(await changes(0, 5)).toEqual(["c=2", "a=4"]);
    expect(await changes(3, 0)).toEqual(["b-3", "a=4"]);
    expect(await changes(0, 0, "b")).toEqual(["b-3"]);
    expect(await changes(5, 0)).toEqual([]);
  });

  test("deleteOrphans(), deletes the state of a deleted topic; a trim does not", async () => {
    const topicId = await topicOf([[set("a"), set("b")]]);
    await store.trimTopic(topicId, 2);
    expect(textsOf(await store.listState({ topicId, prefix: "", after: undefined, ...everything }))).toEqual([
      "a=0",
      "b=1",
    ]);
    await store.deleteTopic(topicId);
    expect(await store.listState({ topicId, prefix: "", after: undefined, ...everything })).toBeUndefined();
    let deleted = 0;
    for (let now = await store.deleteOrphans(1); now > 0; now = await store.deleteOrphans(1)) deleted += now;
    expect(deleted).toBeGreaterThanOrEqual(3);
  });

  test("an append that another node preceded changes no state", async () => {
    const topic = await createdTopic(store, "lost-race", { keyed: true });
    const state = [{ key: "a", index: 0, isTombstone: false, place: undefined }];
    expect(await store.append(writeAfter(topic.head, [frameOf("a=0")], { state }))).toBe("appended");
    expect(await store.append(writeAfter(topic.head, [frameOf("a=late")], { state }))).toBe("moved");
    const read = await store.readState({ topicId: topic.head.topicId, keys: ["a"], bytes: 1000 });
    expect(textsIn(read?.frames)).toEqual(["a=0"]);
  });

  test("pages of list and changes together make the model's state, whatever their bounds", async () => {
    const change = fc.record({ key: fc.constantFrom("a", "b", "ba", "c", "ca"), isTombstone: fc.boolean() });
    const commits = fc.array(fc.array(change, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 });
    const bounds = fc.record({ records: fc.integer({ min: 1, max: 4 }), bytes: fc.integer({ min: 1, max: 40 }) });
    await fc.assert(
      fc.asyncProperty(commits, bounds, fc.constantFrom("", "b", "c"), async (written, bound, prefix) => {
        const topicId = await topicOf(written);
        const latest = new Map<string, string>();
        written.flat().forEach(({ key, isTombstone }, offset) => {
          // A `Map` keeps the place of a key's first entry, so the key is deleted first.
          latest.delete(key);
          latest.set(key, `${key}${isTombstone ? "-" : "="}${offset}`);
        });
        const matching = [...latest].filter(([key]) => key.startsWith(prefix));
        const listed: string[] = [];
        for (let after: string | undefined; ; ) {
          const read = await store.listState({ topicId, prefix, after, ...bound });
          if (read?.page === undefined) break;
          listed.push(...textsOf(read));
          after = read.page.lastKey;
        }
        const kept = matching.filter(([, text]) => text.includes("=")).toSorted(([x], [y]) => (x < y ? -1 : 1));
        expect(listed).toEqual(kept.map(([, text]) => text));
        const changed: string[] = [];
        for (let from = 0; ; ) {
          const read = await store.readStateChanges({ topicId, prefix, from, tombstonesFrom: 0, ...bound });
          if (read?.page === undefined) break;
          changed.push(...textsOf(read));
          from = read.page.lastOffset + 1;
        }
        expect(changed).toEqual(matching.map(([, text]) => text));
      }),
      { numRuns: 25 },
    );
  });

  test("searchState(), finds by key and by offset the records inside that contain the needles, on both paths", async () => {
    const change = fc.record({
      key: fc.constantFrom("a", "b", "ba", "c", "ca", "d", "e"),
      isTombstone: fc.boolean(),
      place: fc.option(placeArbitrary, { nil: undefined }),
    });
    const commits = fc.array(fc.array(change, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 });
    const bounds = fc.record({ records: fc.integer({ min: 1, max: 4 }), bytes: fc.integer({ min: 1, max: 40 }) });
    const needle = fc.constantFrom("", "b", "a=");
    await fc.assert(
      fc.asyncProperty(
        commits,
        bounds,
        fc.constantFrom("", "b", "c"),
        fc.option(rectangleArbitrary, { nil: undefined }),
        needle,
        fc.integer({ min: 1, max: 5 }),
        async (written, bound, prefix, rectangle, needleText, rows) => {
          const topicId = await topicOf(written);
          const latest = new Map<string, { text: string; offset: number; change: Change }>();
          written.flat().forEach((each, offset) => {
            latest.set(each.key, { text: `${each.key}${each.isTombstone ? "-" : "="}${offset}`, offset, change: each });
          });
          const wanted = [...latest.values()].filter(
            ({ text, change: { key, isTombstone, place } }) =>
              !isTombstone &&
              key.startsWith(prefix) &&
              text.includes(needleText) &&
              (rectangle === undefined || (place !== undefined && isInside(place, rectangle))),
          );
          const needles = needleText === "" ? [] : [Buffer.from(needleText)];
          const shared = { topicId, prefix, rectangle, needles, rows, ...bound };
          const until = written.flat().length;
          for (const path of rectangle === undefined ? (["whole"] as const) : (["whole", "place"] as const)) {
            const byKey: string[] = [];
            for (let after: string | undefined; ; ) {
              const read = await store.searchState({ ...shared, path, order: { by: "key", after } });
              byKey.push(...textsOf(read));
              after = read?.reached?.key;
              if (after === undefined) break;
            }
            const expected = wanted.toSorted((x, y) => (x.change.key < y.change.key ? -1 : 1));
            expect(byKey).toEqual(expected.map(({ text }) => text));
            const byOffset: string[] = [];
            for (let from = 1; ; ) {
              const read = await store.searchState({ ...shared, path, order: { by: "offset", from, until } });
              byOffset.push(...textsOf(read));
              if (read?.reached === undefined) break;
              from = read.reached.offset + 1;
            }
            const changed = wanted.filter(({ offset }) => offset >= 1).toSorted((x, y) => x.offset - y.offset);
            expect(byOffset).toEqual(changed.map(({ text }) => text));
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  test("searchState(), looks up few places, walks over many, and keeps a given path", async () => {
    const town = { south: 46.9, west: 7.3, north: 47, east: 7.5 };
    const world = { south: -90, west: -180, north: 90, east: 180 };
    const bern = { latitude: 46.95, longitude: 7.45 };
    const topicId = await topicOf([
      [{ key: "bern", isTombstone: false, place: bern }],
      // More than the root of 1000 * 10,000: a table that was never analysed counts as 10,000 rows.
      ...Array.from({ length: 4 }, (_, commit) =>
        Array.from({ length: 1000 }, (__, index) => ({
          key: `${commit}-${index}`,
          isTombstone: false,
          place: { latitude: -45 + commit, longitude: index / 10 },
        })),
      ),
    ]);
    const order = { by: "key", after: undefined } as const;
    const search = async (rectangle: Rectangle | undefined, path?: "whole" | "place") => {
      const request = { topicId, prefix: "", needles: [], rows: 10, records: 10, bytes: 1000, order };
      return (await store.searchState({ ...request, rectangle, path }))?.path;
    };
    expect(await search(town)).toBe("place");
    expect(await search(world)).toBe("whole");
    expect(await search(undefined)).toBe("whole");
    expect(await search(town, "whole")).toBe("whole");
  });
});
