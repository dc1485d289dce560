import { pageRoom } from "../../src/core/index.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import {
  append,
  createdTopic,
  frameOf,
  headOf,
  newTopic,
  noLimits,
  readAll,
  splitFrames,
  textOf,
  writeAfter,
  readFrame,
} from "./topic-writes.js";

describe.each(databaseKinds)("Store on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    // Several frames fit into a block, and several blocks into a page.
    store = await database.openStore({ blockBytes: 30 });
  });
  afterAll(() => database?.drop());

  const read = (topicId: number, from: number, change: object = {}) =>
    store.readPage({ topicId, direction: "forward", from, records: 100, bytes: 1000, ...change });

  test("connections and searchBytes, fit the database", () => {
    expect(store.connections).toBe(kind === "embedded" ? 1 : 10);
    expect(store.searchBytes).toBe(kind === "embedded" ? 2_097_152 : 16_777_216);
  });

  test("now(), is the database's clock in microseconds", async () => {
    const before = Date.now() - 60_000;
    const micros = await store.now();
    expect(Number.isSafeInteger(micros)).toBe(true);
    expect(micros / 1000).toBeGreaterThan(before);
    expect(micros / 1000).toBeLessThan(before + 600_000);
  });

  describe("topics", () => {
    test("createTopic(), returns an empty head and stores labels and limits", async () => {
      const labels = new Map([
        ["__proto__", "kept"],
        ["constructor", "kept too"],
        ["ключ", "значение 🙂"],
        ["7", ""],
      ]);
      const limits = { recordBytes: 5, batchRecords: 6, batchBytes: 7 };
      const created = await createdTopic(store, "settings", { epoch: 2 ** 53 - 1, labels, limits });
      expect(created).toMatchObject({ name: "settings", limits });
      expect(new Map([...created.labels].sort())).toEqual(new Map([...labels].sort()));
      expect(created.head).toEqual({
        topicId: created.head.topicId,
        epoch: 2 ** 53 - 1,
        version: 0,
        earliestOffset: 0,
        nextOffset: 0,
        earliestBytes: 0,
        nextBytes: 0,
        lastTimeMicros: 0,
        closed: false,
        keyed: false,
        tombstonesFrom: 0,
        expiring: false,
      });
      expect(await store.findTopic("settings")).toEqual(created);
      expect(await store.findTopic("setting")).toBeUndefined();
    });

    test("createTopic(), reports an existing topic, and does not change it", async () => {
      const created = await createdTopic(store, "twice");
      expect(await store.createTopic(newTopic("twice", { epoch: 8 }))).toBe("exists");
      expect((await store.findTopic("twice"))?.head).toEqual(created.head);
    });

    test("createTopic(), called at once with one name, creates it once", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, index) => store.createTopic(newTopic("raced", { epoch: index + 1 }))),
      );
      expect(outcomes.filter((outcome) => outcome === "exists")).toHaveLength(7);
    });

    test("findTopics(), returns those that exist", async () => {
      await createdTopic(store, "found/1");
      await createdTopic(store, "found/2");
      const found = await store.findTopics(["found/2", "found/none", "found/1"]);
      expect([...found.keys()].sort()).toEqual(["found/1", "found/2"]);
      expect(found.get("found/2")).toEqual(await store.findTopic("found/2"));
    });

    test("createTopics(), counts only automatic topics, and exactly; existing ones need no room", async () => {
      await createdTopic(store, "auto/by-hand");
      const names = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, index) => `auto/${from + index}`);
      const calls = [names(0, 3), names(1, 6), ["auto/by-hand", ...names(6, 9)], ["auto/9", "auto/9"]];
      const outcomes = await Promise.all(
        calls.map((each, index) =>
          store.createTopics(
            each.map((name) => ({ name, epoch: index + 1 })),
            5,
          ),
        ),
      );
      const there = new Map(outcomes.flatMap((outcome) => [...outcome]));
      there.delete("auto/by-hand");
      expect(there.size).toBe(5);
      expect(outcomes[2]?.has("auto/by-hand")).toBe(true);
      for (const [name, topic] of there) expect(await store.findTopic(name)).toEqual(topic);
      const [first = ""] = there.keys();
      const again = await store.createTopics(
        [
          { name: first, epoch: 99 },
          { name: "auto/late", epoch: 99 },
        ],
        5,
      );
      expect([...again.keys()]).toEqual([first]);
      expect(again.get(first)?.head.epoch).not.toBe(99);
    });

    test("listTopics(), pages by name, compared by bytes, with _ and . as plain characters", async () => {
      const names = ["l-a", "l.a", "l/a", "l/a/b", "l_a", "l_a.b", "la", "lxa", "lz"];
      for (const name of [...names].reverse()) await createdTopic(store, name);
      const list = async (prefix: string, after = "", count = 100) =>
        (await store.listTopics({ prefix, after, count })).map((topic) => topic.name);
      expect(await list("l")).toEqual(names);
      expect(await list("l_")).toEqual(["l_a", "l_a.b"]);
      expect(await list("l.")).toEqual(["l.a"]);
      expect(await list("l/a")).toEqual(["l/a", "l/a/b"]);
      expect(await list("l", "l/a", 2)).toEqual(["l/a/b", "l_a"]);
      expect(await list("l_", "l/a", 1)).toEqual(["l_a"]);
      expect(await list("l", "lz")).toEqual([]);
      expect(await list("m")).toEqual([]);
      expect(await list("", "", 3)).toHaveLength(3);
    });

    test("updateTopic(), changes only what is given, and raises the version for limits", async () => {
      const { head } = await createdTopic(store, "updated", { labels: new Map([["a", "1"]]) });
      const relabelled = await store.updateTopic(head.topicId, { labels: new Map([["b", "2"]]) });
      expect(relabelled).toMatchObject({ labels: new Map([["b", "2"]]), limits: noLimits, head });
      const limited = await store.updateTopic(head.topicId, { limits: { batchBytes: 9 } });
      expect(limited?.limits).toEqual({ ...noLimits, batchBytes: 9 });
      expect(limited?.labels).toEqual(new Map([["b", "2"]]));
      expect(limited?.head.version).toBeGreaterThan(head.version);
      expect(await store.append(writeAfter(head, [frameOf("late")]))).toBe("moved");
    });

    test("closeTopic(), ends appends once, and keeps the records", async () => {
      const { head } = await createdTopic(store, "closed");
      const filled = await append(store, head.topicId, [frameOf("kept")]);
      const closed = await store.closeTopic(head.topicId);
      expect(closed?.head).toMatchObject({ closed: true, nextOffset: 1 });
      expect(closed?.head.version).toBeGreaterThan(filled.version);
      expect(await store.closeTopic(head.topicId)).toEqual(closed);
      expect(await store.append(writeAfter(filled, [frameOf("late")]))).toBe("moved");
      expect(await store.append(writeAfter(closed?.head ?? filled, [frameOf("late")]))).toBe("moved");
      expect(await read(head.topicId, 0)).toMatchObject({ head: { closed: true }, page: { next: 1 } });
    });

    test("renewEpoch(), compares and sets", async () => {
      const { head } = await createdTopic(store, "renewed");
      expect(await store.renewEpoch({ topicId: head.topicId, epoch: 8, newEpoch: 9 })).toBe(false);
      expect(await store.renewEpoch({ topicId: head.topicId, epoch: 7, newEpoch: 9 })).toBe(true);
      expect(await store.renewEpoch({ topicId: head.topicId, epoch: 7, newEpoch: 10 })).toBe(false);
      expect((await headOf(store, head.topicId)).epoch).toBe(9);
      expect(await store.append(writeAfter(head, [frameOf("late")]))).toBe("moved");
    });

    test("every call returns undefined or false for a deleted topic", async () => {
      const topicId = 2 ** 40;
      expect(await store.updateTopic(topicId, { limits: { batchBytes: 1 } })).toBeUndefined();
      expect(await store.trimTopic(topicId, 1)).toBeUndefined();
      expect(await store.closeTopic(topicId)).toBeUndefined();
      expect(await store.deleteTopic(topicId)).toBe(false);
      expect(await store.renewEpoch({ topicId, epoch: 1, newEpoch: 2 })).toBe(false);
      expect(await store.readView(topicId, ["p"])).toBeUndefined();
      expect(await read(topicId, 0)).toBeUndefined();
      expect(await read(topicId, 0, { direction: "backward" })).toBeUndefined();
      expect(await readFrame(store, topicId, 0)).toBeUndefined();
      expect(await store.readHeads([topicId])).toEqual([]);
      expect(await store.readHeads([])).toEqual([]);
      expect(await store.deleteTrimmed({ topicId, count: 10 })).toBe(0);
      expect(
        await store.appendLocked({ topicId, producerIds: [], decide: () => expect.unreachable() }),
      ).toBeUndefined();
    });
  });

  describe("append", () => {
    test("append(), advances the head by what it wrote", async () => {
      const { head } = await createdTopic(store, "appended");
      const frames = [frameOf("a", 10), frameOf("b", 20), frameOf("c", 5)];
      expect(await store.append(writeAfter(head, frames, { timeMicros: 123_456 }))).toBe("appended");
      const after = await headOf(store, head.topicId);
      expect(after).toEqual({ ...head, nextOffset: 3, nextBytes: 35, lastTimeMicros: 123_456 });
      expect(await readAll(store, head.topicId)).toEqual(frames);
    });

    test.each([
      { what: "next offset", change: { nextOffset: 1 } },
      { what: "version", change: { version: 1 } },
      { what: "epoch", change: { epoch: 8 } },
    ])("append(), writes nothing when the $what is not as expected", async ({ what, change }) => {
      const { head } = await createdTopic(store, `moved-${what.replace(" ", "-")}`);
      const write = writeAfter({ ...head, ...change }, [frameOf("x")], {
        producers: [{ id: "p", generation: 1, nextSequence: 1, recent: [] }],
      });
      expect(await store.append(write)).toBe("moved");
      expect(await store.readView(head.topicId, ["p"])).toEqual({ head, producers: [] });
      expect(await read(head.topicId, 0)).toEqual({ head, page: undefined });
    });

    test("append(), writes producers in the same commit", async () => {
      const { head } = await createdTopic(store, "producers");
      const first = {
        id: `naïve "quoted" {id}, \\`,
        generation: 3,
        nextSequence: 2,
        recent: [
          { firstOffset: 0, nextOffset: 1 },
          { firstOffset: 1, nextOffset: 2 },
        ],
      };
      const second = { id: "__proto__", generation: 2 ** 53 - 1, nextSequence: 0, recent: [] };
      await store.append(writeAfter(head, [frameOf("a"), frameOf("b")], { producers: [first, second] }));
      const view = await store.readView(head.topicId, ["unknown", second.id, first.id]);
      expect(view?.producers).toHaveLength(2);
      expect(view?.producers).toEqual(expect.arrayContaining([first, second]));
      const moved = { ...first, generation: 4, nextSequence: 3, recent: [{ firstOffset: 2, nextOffset: 3 }] };
      await store.append(writeAfter(await headOf(store, head.topicId), [frameOf("c")], { producers: [moved] }));
      expect((await store.readView(head.topicId, [first.id]))?.producers).toEqual([moved]);
      expect((await store.readView(head.topicId, [second.id]))?.producers).toEqual([second]);
    });

    test("append(), accepts a batch of many bytes, of any value", async () => {
      const { head } = await createdTopic(store, "large");
      const every = Buffer.concat([frameOf("", 260)]);
      for (let byte = 0; byte < 256; byte++) every[4 + byte] = byte;
      const frames = [
        every,
        frameOf("large", 1 << 20),
        ...Array.from({ length: 3000 }, (_, n) => frameOf(`${n}`, 1000)),
      ];
      await store.append(writeAfter(head, frames));
      const kept = await readAll(store, head.topicId, 256 * 1024);
      expect(kept.length).toBe(frames.length);
      expect(Buffer.concat(kept).equals(Buffer.concat(frames))).toBe(true);
    });

    test("append(), refuses frames that do not add up, before anything is written", async () => {
      const { head } = await createdTopic(store, "broken");
      const write = writeAfter(head, [frameOf("a")]);
      await expect(store.append({ ...write, frameEnds: [3] })).rejects.toThrow("frames end at 3");
      await expect(store.append({ ...write, frameEnds: [3, 3] })).rejects.toThrow("from byte 3 to byte 3");
      await expect(store.append({ ...write, frames: Buffer.alloc(0), frameEnds: [] })).rejects.toThrow("0 bytes");
      expect(await headOf(store, head.topicId)).toEqual(head);
    });

    test("appendLocked(), decides on the view that it appends to", async () => {
      const { head } = await createdTopic(store, "locked");
      const producer = { id: "p", generation: 1, nextSequence: 1, recent: [] };
      expect(
        await store.appendLocked({
          topicId: head.topicId,
          producerIds: ["p"],
          decide: (view) => {
            expect(view).toEqual({ head, producers: [] });
            return writeAfter(view.head, [frameOf("a")], { producers: [producer] });
          },
        }),
      ).toBe("committed");
      expect(
        await store.appendLocked({
          topicId: head.topicId,
          producerIds: ["p", "q"],
          decide: (view) => {
            expect(view.head.nextOffset).toBe(1);
            expect(view.producers).toEqual([producer]);
            return undefined;
          },
        }),
      ).toBe("nothing");
      expect((await readAll(store, head.topicId)).map(textOf)).toEqual(["a"]);
    });

    test("appendLocked(), releases the head when the decision throws", async () => {
      const { head } = await createdTopic(store, "thrown");
      const fault = new Error("undecided");
      await expect(
        store.appendLocked({
          topicId: head.topicId,
          producerIds: [],
          decide: () => {
            throw fault;
          },
        }),
      ).rejects.toBe(fault);
      await expect(
        store.appendLocked({
          topicId: head.topicId,
          producerIds: [],
          decide: (view) => writeAfter({ ...view.head, nextOffset: 5 }, [frameOf("x")]),
        }),
      ).rejects.toThrow("its head changed under its lock");
      expect(await append(store, head.topicId, [frameOf("a")])).toMatchObject({ nextOffset: 1 });
    });

    test("readHeads(), returns those that exist", async () => {
      const one = await createdTopic(store, "heads-1");
      const two = await createdTopic(store, "heads-2");
      const heads = await store.readHeads([two.head.topicId, 2 ** 40, one.head.topicId]);
      expect(heads).toHaveLength(2);
      expect(heads).toEqual(expect.arrayContaining([one.head, two.head]));
    });
  });

  describe("pages", () => {
    const texts = ["a", "bb", "ccc", "dddd", "eeeee"];
    const frames = texts.map((text) => frameOf(text));
    const total = (from: number, to: number) => frames.slice(from, to).reduce((sum, frame) => sum + frame.length, 0);
    let topicId: number;
    beforeAll(async () => {
      topicId = (await createdTopic(store, "paged")).head.topicId;
      await append(store, topicId, frames.slice(0, 2));
      await append(store, topicId, frames.slice(2));
    });

    const textsOf = (bytes: Uint8Array | undefined) => bytes && splitFrames(bytes).map(textOf);

    test("readPage(), returns all that fits, with the head from the same snapshot", async () => {
      const page = await read(topicId, 1);
      expect(page?.head).toEqual(await headOf(store, topicId));
      expect(page?.page).toMatchObject({ first: 1, next: 5, endBytes: total(0, 5) });
      expect(page?.page?.frames).toEqual(Buffer.concat(frames.slice(1)));
    });

    test.each([
      { bounds: { records: 2 }, expected: ["bb", "ccc"] },
      { bounds: { records: 1 }, expected: ["bb"] },
      { bounds: { bytes: total(1, 3) }, expected: ["bb", "ccc"] },
      { bounds: { bytes: total(1, 3) - 1 }, expected: ["bb"] },
      { bounds: { bytes: 1 }, expected: ["bb"] },
      { bounds: { bytes: total(1, 4), fromBytes: total(0, 1) }, expected: ["bb", "ccc", "dddd"] },
      { bounds: { bytes: 1, fromBytes: total(0, 1) }, expected: ["bb"] },
      { bounds: { until: 3 }, expected: ["bb", "ccc"] },
      { bounds: { until: 3, records: 1 }, expected: ["bb"] },
      { bounds: { until: 99 }, expected: ["bb", "ccc", "dddd", "eeeee"] },
      { bounds: { until: 1 }, expected: undefined },
      { bounds: { until: 0 }, expected: undefined },
    ])("readPage() forward from 1, stops at $bounds", async ({ bounds, expected }) => {
      expect(textsOf((await read(topicId, 1, bounds))?.page?.frames)).toEqual(expected);
    });

    test.each([
      { bounds: {}, expected: ["dddd", "ccc", "bb", "a"] },
      { bounds: { records: 2 }, expected: ["dddd", "ccc"] },
      { bounds: { bytes: total(2, 4) }, expected: ["dddd", "ccc"] },
      { bounds: { bytes: total(2, 4) - 1 }, expected: ["dddd"] },
      { bounds: { bytes: 1 }, expected: ["dddd"] },
      { bounds: { bytes: total(1, 4), fromBytes: total(0, 4) }, expected: ["dddd", "ccc", "bb"] },
      { bounds: { bytes: 1, fromBytes: total(0, 4) }, expected: ["dddd"] },
      { bounds: { until: 2 }, expected: ["dddd", "ccc"] },
      { bounds: { until: 4 }, expected: undefined },
    ])("readPage() backward from 4, stops at $bounds", async ({ bounds, expected }) => {
      const page = (await read(topicId, 4, { direction: "backward", ...bounds }))?.page;
      expect(textsOf(page?.frames)).toEqual(expected);
      if (page !== undefined) {
        expect(page).toMatchObject({ first: 4 - (expected?.length ?? 0), next: 4, endBytes: total(0, 4) });
      }
    });

    test("readPage(), is empty at the end and beyond it, in both directions", async () => {
      const head = await headOf(store, topicId);
      for (const from of [5, 6, 2 ** 53 - 1001]) expect(await read(topicId, from)).toEqual({ head, page: undefined });
      for (const from of [0, 6, 99]) {
        expect(await read(topicId, from, { direction: "backward" })).toEqual({ head, page: undefined });
      }
      expect((await read(topicId, 5, { direction: "backward" }))?.page).toMatchObject({ first: 0, next: 5 });
    });

    test("readPage(), refuses an invalid offset before it is written into a statement", async () => {
      for (const from of [-1, 1.5, Number.NaN, 2 ** 53]) await expect(read(topicId, from)).rejects.toThrow();
    });

    test("readPage(), leaves room around its frames that nothing else uses", async () => {
      const pages = await Promise.all([0, 1, 2, 3].map((from) => read(topicId, from, { records: 1 })));
      for (const [from, page] of pages.entries()) {
        if (page?.page === undefined) throw new Error(`No page at ${from}`);
        const { frames: bytes, hasRoom } = page.page;
        expect(hasRoom).toBe(true);
        Buffer.from(bytes.buffer, bytes.byteOffset - pageRoom.before, pageRoom.before).fill(0xff);
        Buffer.from(bytes.buffer, bytes.byteOffset + bytes.length, pageRoom.behind).fill(0xff);
      }
      for (const [from, page] of pages.entries()) expect(page?.page?.frames).toEqual(frames[from]);
    });

    test("searchPage(), finds the frames with the bytes in any range of offsets, within its bounds, in both directions", async () => {
      const texts = ["a", "b", "ab", "ba", "aba", "\\x", "'"];
      const frames = Array.from({ length: 12 }, (_, index) => frameOf(`${texts[index % texts.length]}${index}`));
      const { head: created } = await createdTopic(store, "searched");
      await append(store, created.topicId, frames);
      await store.trimTopic(created.topicId, 2);
      const wanted = fc.constantFrom([], ["a"], ["b", "a"], ["\\x"], ["'"], ["1", "a", "b"], ["a", "a", "a", "b"]);
      const bounds = fc.record({
        rows: fc.integer({ min: 1, max: 15 }),
        walkBytes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(1_000_000)),
        records: fc.integer({ min: 1, max: 4 }),
        bytes: fc.integer({ min: 1, max: 30 }),
      });
      await fc.assert(
        fc.asyncProperty(
          wanted,
          bounds,
          fc.boolean(),
          fc.constantFrom(0, 1),
          async (needles, bound, isForward, density) => {
            const matching = frames
              .map(textOf)
              .filter((text, offset) => offset >= 2 && needles.every((n) => text.includes(n)));
            const found: string[] = [];
            for (let from = isForward ? 2 : 12; ; ) {
              const read = await store.searchPage({
                topicId: created.topicId,
                direction: isForward ? "forward" : "backward",
                from,
                ...bound,
                needles: needles.map((needle) => Buffer.from(needle)),
                density,
              });
              if (read?.found === undefined) break;
              const page = splitFrames(read.found.frames).map(textOf);
              expect(page.length).toBe(read.found.records);
              found.push(...page);
              expect(Math.sign(read.found.reached - from)).toBe(isForward ? 1 : -1);
              from = read.found.reached;
            }
            expect(found).toEqual(isForward ? matching : matching.toReversed());
          },
        ),
        { numRuns: 40 },
      );
      const beyond = {
        topicId: created.topicId,
        direction: "forward",
        needles: [],
        rows: 5,
        walkBytes: 1000,
        records: 5,
        bytes: 50,
      } as const;
      expect((await store.searchPage({ ...beyond, from: 1 }))?.found).toBeUndefined();
      expect((await store.searchPage({ ...beyond, from: 12 }))?.found).toBeUndefined();
      expect(await store.searchPage({ ...beyond, topicId: 999_999, from: 0 })).toBeUndefined();
    });

    test("readFrames(), returns one frame", async () => {
      expect(await readFrame(store, topicId, 2)).toEqual(frames[2]);
      expect(await readFrame(store, topicId, 5)).toBeUndefined();
    });
  });

  describe("trim and delete", () => {
    const fill = async (name: string, count: number) => {
      const { head } = await createdTopic(store, name);
      return append(
        store,
        head.topicId,
        Array.from({ length: count }, (_, index) => frameOf(String(index), 10)),
      );
    };

    /** After a full block, all earlier ones are merged and their producers folded. */
    const mergedAll = async (topicId: number) => {
      await append(store, topicId, [frameOf("full", 30)]);
      while ((await store.mergeBlocks({ topicId, blocks: 100, bytes: 1000 })).kind === "merged");
    };

    test("trimTopic(), makes records unreachable at once, while their rows still exist", async () => {
      const { topicId, version } = await fill("trimmed", 10);
      const trimmed = await store.trimTopic(topicId, 4);
      expect(trimmed?.head).toMatchObject({ earliestOffset: 4, earliestBytes: 40, nextOffset: 10, nextBytes: 100 });
      expect(trimmed?.head.version).toBeGreaterThan(version);
      expect(await read(topicId, 3)).toEqual({ head: trimmed?.head, page: undefined });
      expect((await read(topicId, 4))?.page).toMatchObject({ first: 4, next: 10, endBytes: 100 });
      expect((await read(topicId, 6, { direction: "backward" }))?.page).toMatchObject({ first: 4, next: 6 });
      expect((await read(topicId, 4, { direction: "backward" }))?.page).toBeUndefined();
      expect(await readFrame(store, topicId, 3)).toBeUndefined();
      expect(await readFrame(store, topicId, 4)).toEqual(frameOf("4", 10));
    });

    test("trimTopic(), never goes beyond the end, and never back", async () => {
      const { topicId, version } = await fill("trimmed-whole", 3);
      const whole = await store.trimTopic(topicId, 99);
      expect(whole?.head).toMatchObject({ earliestOffset: 3, nextOffset: 3, earliestBytes: 30, nextBytes: 30 });
      expect(await store.trimTopic(topicId, 1)).toEqual(whole);
      expect(whole?.head.version).toBe(version + 1);
      expect(await append(store, topicId, [frameOf("next")])).toMatchObject({ nextOffset: 4 });
      expect((await readAll(store, topicId)).map(textOf)).toEqual(["next"]);
    });

    test("deleteTrimmed(), deletes unreachable blocks in ascending order, a bounded run at a time", async () => {
      const { topicId } = await fill("swept", 10);
      const untouched = (await fill("unswept", 2)).topicId;
      // Three records a block: the last trimmed block also has a kept record.
      await store.trimTopic(topicId, 2);
      await store.trimTopic(topicId, 7);
      expect(await store.findTrimmed(100)).toContain(topicId);
      expect(await store.findTrimmed(100)).not.toContain(untouched);
      expect(await store.deleteTrimmed({ topicId, count: 1 })).toBe(1);
      expect(await store.findTrimmed(100)).toContain(topicId);
      expect(await store.deleteTrimmed({ topicId, count: 2 })).toBe(1);
      expect(await store.deleteTrimmed({ topicId, count: 2 })).toBe(0);
      expect(await store.findTrimmed(100)).not.toContain(topicId);
      expect((await readAll(store, topicId)).length).toBe(3);
      await store.trimTopic(topicId, 8);
      expect(await store.findTrimmed(100)).toContain(topicId);
      expect(await store.deleteTrimmed({ topicId, count: 100 })).toBe(0);
      await store.trimTopic(topicId, 10);
      expect(await store.deleteTrimmed({ topicId, count: 100 })).toBe(2);
      expect(await headOf(store, topicId)).toMatchObject({ earliestOffset: 10, nextOffset: 10, nextBytes: 100 });
      expect(await store.deleteTrimmed({ topicId: untouched, count: 100 })).toBe(0);
    });

    test("deleteTrimmed(), keeps the producers of the deleted blocks", async () => {
      const { topicId } = await fill("swept-producers", 1);
      const producers = [{ id: "p", generation: 2, nextSequence: 1, recent: [{ firstOffset: 1, nextOffset: 2 }] }];
      await store.append(writeAfter(await headOf(store, topicId), [frameOf("last")], { producers }));
      await store.trimTopic(topicId, 2);
      expect(await store.deleteTrimmed({ topicId, count: 100 })).toBe(2);
      expect((await store.readView(topicId, ["p"]))?.producers).toEqual(producers);
      expect(await append(store, topicId, [frameOf("next")])).toMatchObject({ earliestOffset: 2, nextOffset: 3 });
    });

    test("deleteTopic(), frees the name at once, and leaves records and producers for deleteOrphans()", async () => {
      const { topicId } = await fill("deleted", 10);
      const head = await headOf(store, topicId);
      const producers = ["p", "q", "r"].map((id) => ({ id, generation: 1, nextSequence: 1, recent: [] }));
      await store.append(writeAfter(head, [frameOf("last")], { producers }));
      await mergedAll(topicId);
      await store.trimTopic(topicId, 6);
      await store.deleteTrimmed({ topicId, count: 1 });
      expect(await store.deleteTopic(topicId)).toBe(true);
      expect(await store.deleteTopic(topicId)).toBe(false);
      expect(await store.findTopic("deleted")).toBeUndefined();
      expect(await read(topicId, 6)).toBeUndefined();
      expect(await store.append(writeAfter({ ...head, nextOffset: 12 }, [frameOf("late")]))).toBe("moved");
      expect(await store.findTrimmed(100)).not.toContain(topicId);

      const again = await createdTopic(store, "deleted", { epoch: 8 });
      expect(again.head.topicId).not.toBe(topicId);
      await append(store, again.head.topicId, [frameOf("new")]);

      // Five blocks, of which one was merged from two and one was deleted; three producers.
      const deleted: number[] = [];
      for (let count = 1; count > 0; ) deleted.push((count = await store.deleteOrphans(3)));
      expect(deleted).toEqual([3, 3, 1, 0]);
      expect((await readAll(store, again.head.topicId)).map(textOf)).toEqual(["new"]);
    });

    test("deleteIdleProducers(), deletes idle producers, and the longest idle ones of too many", async () => {
      const one = await createdTopic(store, "idle-1");
      const two = await createdTopic(store, "idle-2");
      const touch = async (topicId: number, id: string) => {
        const producers = [{ id, generation: 1, nextSequence: 1, recent: [] }];
        await store.append(writeAfter(await headOf(store, topicId), [frameOf(id)], { producers }));
        await mergedAll(topicId);
      };
      for (const id of ["a", "b", "c", "a"]) {
        await touch(one.head.topicId, id);
        // PGlite's clock counts milliseconds: the order of use must be visible in it.
        const used = await store.now();
        await expect.poll(() => store.now()).toBeGreaterThan(used + 1000);
      }
      await touch(two.head.topicId, "d");
      const known = async (topicId: number) =>
        ((await store.readView(topicId, ["a", "b", "c", "d"]))?.producers ?? []).map((producer) => producer.id).sort();
      expect(await store.deleteIdleProducers({ idleMs: 3600_000, perTopic: 2, count: 100 })).toBeGreaterThanOrEqual(1);
      expect(await known(one.head.topicId)).toEqual(["a", "c"]);
      expect(await known(two.head.topicId)).toEqual(["d"]);
      expect(await store.deleteIdleProducers({ idleMs: 0, perTopic: 100, count: 1 })).toBe(1);
      for (let count = 1; count > 0; )
        count = await store.deleteIdleProducers({ idleMs: 0, perTopic: 100, count: 100 });
      expect(await known(one.head.topicId)).toEqual([]);
      expect(await known(two.head.topicId)).toEqual([]);
    });

    test("reclaimSpace(), vacuums tables with many dead rows, and then none", async () => {
      const { head } = await createdTopic(store, "vacuumed", { keyed: true });
      const state = Array.from({ length: 2000 }, (_, index) => ({
        key: `k${index}`,
        index: 0,
        isTombstone: false,
        place: undefined,
      }));
      for (let count = 1; count <= 3; count++) {
        const frames = state.map(({ key }) => frameOf(key));
        const changes = state.map((change, index) => ({ ...change, index }));
        const write = writeAfter(await headOf(store, head.topicId), frames, { state: changes });
        expect(await store.append(write)).toBe("appended");
      }
      // The statistics are some seconds late.
      await expect.poll(() => store.reclaimSpace(), { timeout: 20_000, interval: 500 }).toContain("latest");
      await expect.poll(() => store.reclaimSpace(), { timeout: 20_000, interval: 500 }).toEqual([]);
      // The connection that ran it has its settings back.
      expect(await append(store, head.topicId, [frameOf("y")])).toMatchObject({ nextOffset: 6001 });
    });
  });
});
