import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseFilter } from "../../../src/filter/index.js";
import type { PageMessage } from "../../../src/engine/index.js";
import type { Store } from "../../../src/store/index.js";
import { type Deferred, deferred } from "../../../src/streams/index.js";
import { createLiveStreams } from "../../../src/telemetry/index.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { offsetsOf, openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { appendKeyed, createKeyed } from "../keyed-topics.js";

const topic = "pages";
const recordBytes = 100;
const pageBytesMin = 1000;
const records = 1500;

/** Every call that reads, from the first record on. */
const ways = ["read", "follow", "list", "watch"] as const;
type Way = (typeof ways)[number];

interface OpenReader {
  next(): Promise<{ readonly kind: string }>;
  leave(): Promise<void>;
}

describe("streamPages()", () => {
  let database: TestDatabase;
  let node: TestEngine;
  let other: TestEngine;
  /** If set, statements that read pages wait for it. */
  let away: Deferred<void> | undefined;

  beforeAll(async () => {
    database = await createTestDatabase("embedded");
    const store = await database.openStore();
    const held =
      <Request, Answer>(read: (request: Request) => Promise<Answer>) =>
      async (request: Request): Promise<Answer> => {
        await away?.promise;
        return read(request);
      };
    const slowable: Store = {
      ...store,
      readPage: held(store.readPage),
      readStateChanges: held(store.readStateChanges),
    };
    const heartbeats = { heartbeatMinMs: 20, heartbeatMaxMs: 30, headPollMs: 20 };
    node = await openTestEngine(slowable, { pageBytesMin, pageBytesMax: 4000, tailTopicBytes: 2000, ...heartbeats });
    other = await openTestEngine(store);
    await createKeyed(node.engine, topic);
    const keys = range(0, records).map((key) => ({ key: `key-${key}`, text: "x".repeat(recordBytes) }));
    for (let at = 0; at < records; at += 500) await appendKeyed(node.engine, topic, keys.slice(at, at + 500));
  });
  afterAll(async () => {
    await node.engine.close();
    await other.engine.close();
    await database.drop();
  });

  function open(way: Way, expression?: string): OpenReader {
    const { engine } = node;
    const abort = new AbortController();
    const { signal } = abort;
    const stream = createLiveStreams().open("test", way);
    const filter = expression === undefined ? undefined : parseFilter(expression);
    const log = { topic, filter, start: { at: "earliest" }, whenTrimmed: "fail" } as const;
    const state = { topic, filter, keyPrefix: "", rectangle: undefined };
    const openers = {
      read: () => engine.read({ ...log, direction: "forward", until: { at: "end" }, limit: 0 }, stream, signal),
      follow: () => engine.follow({ ...log, whenBehind: "catch-up" }, stream, signal),
      list: () => engine.listState({ ...state, afterKey: "", limit: 0 }, stream, signal),
      watch: () =>
        engine.watchState({ ...state, start: undefined, changesOnly: false, withoutTombstones: false }, stream, signal),
    };
    const messages: AsyncGenerator<{ readonly kind: string }, void, undefined> = openers[way]();
    return {
      async next() {
        const { done, value } = await messages.next();
        if (done === true) throw new Error("The reader has ended");
        return value;
      },
      async leave() {
        abort.abort(new Error("left"));
        await messages.return();
      },
    };
  }

  async function nextPage(reader: Pick<OpenReader, "next">): Promise<PageMessage> {
    for (;;) {
      const message = await reader.next();
      if (message.kind === "page") return message as PageMessage;
    }
  }

  async function pagesRead(): Promise<number> {
    const { values } = await node.metrics.pageReads.get();
    return values.find(({ labels }) => labels.source === "database")?.value ?? 0;
  }

  describe.each(ways)("%s", (way) => {
    test.each([undefined, 'key != "none"'])("holds no page while it is suspended (filter: %s)", async (expression) => {
      const reader = open(way, expression);
      // Only a weak reference to the page's bytes is left.
      const bytes = await nextPage(reader).then(({ runs }) => new WeakRef(runs[0]?.buffer as ArrayBufferLike));
      // The last page that any filter of this process read is kept; it is no longer this reader's.
      const later = open(way, expression);
      await nextPage(later);
      await vi.waitFor(() => {
        global.gc?.();
        // A failed expectation of the bytes themselves would keep them.
        expect(bytes.deref() === undefined).toBe(true);
      });
      await Promise.all([reader.leave(), later.leave()]);
    });
  });

  test.each(["read", "follow"] as const)("%s reads a page ahead once it has earned larger ones", async (way) => {
    const reader = open(way);
    const before = await pagesRead();
    await nextPage(reader);
    // A stalled reader has the page that it received, and no other.
    expect((await pagesRead()) - before).toBe(1);
    let pages = 1;
    for (let bytes = 0; bytes <= 16 * pageBytesMin * 1.5; pages++) {
      for (const run of (await nextPage(reader)).runs) bytes += run.length;
    }
    await expect.poll(async () => (await pagesRead()) - before).toBe(pages + 1);
    await reader.leave();
  });

  test.each(["follow", "watch"] as const)(
    "%s says why nothing is delivered while the database is slow",
    async (way) => {
      const reader = open(way);
      const first = (await nextPage(reader)).next;
      away = deferred();
      expect([await reader.next(), await reader.next()]).toMatchObject([
        { kind: "heartbeat", next: first },
        { kind: "heartbeat", next: first },
      ]);
      away.resolve();
      away = undefined;
      // The page that was being read arrives, and none is skipped.
      const page = await nextPage(reader);
      expect(page.next.offset - page.records).toBe(first.offset);
      await reader.leave();
    },
  );

  test("a page that arrived while a follower fell behind is not delivered after what it skipped", async () => {
    await node.append("skipping", [1]);
    const follower = node.follow("skipping", { whenBehind: "skip" });
    await follower.until("caught-up");
    away = deferred();
    const before = await pagesRead();
    await other.append("skipping", [1]);
    await follower.until("heartbeat");
    while (follower.stream.waiting !== "database") await follower.next();
    away.resolve();
    away = undefined;
    await expect.poll(pagesRead).toBe(before + 1);
    for (const _round of range(0, 20)) await node.append("skipping", [400]);
    expect(await follower.next()).toMatchObject({ kind: "skipped", firstOffset: 1, nextOffset: 22 });
    await other.append("skipping", [1]);
    expect(offsetsOf([await nextPage(follower)])).toEqual([22]);
    await follower.cancel();
  });
});
