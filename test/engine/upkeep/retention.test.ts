import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noRetention, type Retention } from "../../../src/core/index.js";
import { parseFilter } from "../../../src/filter/index.js";
import type { Store } from "../../../src/store/index.js";
import { type Clock, systemClock } from "../../../src/telemetry/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { readFrame } from "../../store/topic-writes.js";
import { stampBatches } from "../../../src/wire/index.js";
import { batchOf, framesOf } from "../../support/frames.js";
import { offsetsIn, openTestEngine, range, type TestEngine, type TestFollower } from "../../support/open-engine.js";
import { appendKeyed, createKeyed, listedState, TestWatcher } from "../keyed-topics.js";

/** A clock that a test advances, in addition to the real time that passes. */
class MovingClock implements Clock {
  #shiftMs = 0;

  wallMicros(): number {
    return systemClock.wallMicros() + this.#shiftMs * 1000;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#shiftMs;
  }

  bootMs(): number {
    return systemClock.bootMs() + this.#shiftMs;
  }

  readonly startTimer = systemClock.startTimer;

  move(seconds: number): void {
    this.#shiftMs += seconds * 1000;
  }
}

/** A record in the model; times are in seconds of the advanced clock. */
interface Kept {
  readonly bytes: number;
  readonly taken: number;
  readonly expires: number;
}

/** A follower that reads up to a given offset, and stores what it received or was informed that it missed. */
class Followed {
  readonly offsets: number[] = [];
  readonly missed: number[] = [];
  readonly #follower: TestFollower;
  #next = 0;

  constructor(follower: TestFollower) {
    this.#follower = follower;
  }

  async reaches(offset: number): Promise<void> {
    while (this.#next < offset) {
      const message = await this.#follower.next();
      expect(message.next.offset).toBeGreaterThanOrEqual(this.#next);
      if (message.kind === "page") this.offsets.push(...offsetsIn(message.runs));
      if (message.kind === "skipped") this.missed.push(...range(message.firstOffset, message.nextOffset));
      this.#next = message.next.offset;
    }
  }

  cancel(): Promise<void> {
    return this.#follower.cancel();
  }
}

/**
 * The test advances time by tens of seconds; lifetimes and ages end in between, so its own duration does not matter.
 */
const seconds = fc.constantFrom(5, 15, 25);
const bound = (arbitrary: fc.Arbitrary<number>) => fc.oneof(fc.constant(0), arbitrary);
const retentionArbitrary: fc.Arbitrary<Retention> = fc.record({
  ageMs: bound(seconds.map((age) => age * 1000)),
  records: bound(fc.integer({ min: 1, max: 30 })),
  bytes: bound(fc.integer({ min: 1, max: 3000 })),
});
const stepArbitrary = fc.record({
  records: fc.array(fc.record({ size: fc.nat({ max: 200 }), lifetime: fc.option(seconds, { nil: undefined }) }), {
    maxLength: 20,
  }),
  waits: fc.constantFrom(0, 0, 10, 20),
  retention: fc.option(retentionArbitrary, { nil: undefined }),
});

/** The earliest offset in the model: after what exceeds a bound, and after records whose lifetime is over. */
function earliestIn(model: readonly Kept[], before: number, retention: Retention, now: number): number {
  const bytesFrom = (offset: number) => model.slice(offset).reduce((sum, { bytes }) => sum + bytes, 0);
  const leaves = (offset: number, { taken, expires }: Kept) =>
    (retention.records > 0 && offset < model.length - retention.records) ||
    (retention.bytes > 0 && bytesFrom(offset + 1) >= retention.bytes) ||
    (retention.ageMs > 0 && taken < now - retention.ageMs / 1000) ||
    expires < now;
  let earliest = before;
  while (earliest < model.length && leaves(earliest, model[earliest] as Kept)) earliest += 1;
  return earliest;
}

describe.each(databaseKinds)("Retention and lifetimes on %s", (kind) => {
  const clock = new MovingClock();
  let database: TestDatabase;
  let store: Store;
  let node: TestEngine;
  let topics = 0;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    // One block for each record, so bounds by age and bytes are exact.
    store = await database.openStore({ blockBytes: 1 });
    // The database's clock advances too, or the node would distrust its own.
    store = { ...store, now: async () => clock.wallMicros() };
    node = await openTestEngine(store, { clock, heartbeatMinMs: 20, heartbeatMaxMs: 30 });
  });
  afterAll(async () => {
    await node.engine.close();
    await database.drop();
  });

  async function createTopic(retention: Partial<Retention> = {}): Promise<string> {
    topics += 1;
    const name = `kept/${topics}`;
    const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
    await node.engine.topics.create({
      name,
      labels: new Map(),
      limits,
      retention: { ...noRetention, ...retention },
      keyed: false,
    });
    return name;
  }

  const append = (topic: string, sizes: readonly number[], lifetimes: readonly (number | undefined)[] = []) =>
    node.engine.append({
      topic,
      batch: batchOf(sizes, lifetimes),
      expectedOffset: undefined,
      producer: undefined,
      epoch: 0,
    });

  const head = async (topic: string) => (await node.engine.topics.get(topic)).head;

  /** Informs the node of a changed retention, so that it checks at once, and waits for the result. */
  async function enforced(topic: string, retention: Retention, earliest: number): Promise<number> {
    await node.engine.topics.update(topic, { retention });
    await expect.poll(async () => (await head(topic)).earliestOffset, { interval: 2 }).toBe(earliest);
    return earliest;
  }

  test("a reader and a follower see exactly what a model keeps, after any operations at any times", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 1, maxLength: 5 }), async (steps) => {
        const topic = await createTopic();
        const model: Kept[] = [];
        let earliest = 0;
        let now = 0;
        let retention = noRetention;
        const following = node.follow(topic, { whenTrimmed: "skip" });
        await following.until("caught-up");
        const follower = new Followed(following);
        for (const { records, waits, retention: change } of steps) {
          if (records.length > 0) {
            await append(
              topic,
              records.map(({ size }) => size),
              records.map(({ lifetime }) => lifetime),
            );
            for (const { size, lifetime } of records) {
              const { bytes } = stampBatches([batchOf([size], [lifetime])], 0, 0);
              model.push({ bytes: bytes.length, taken: now, expires: now + (lifetime ?? 1e9) });
            }
          }
          await follower.reaches(model.length);
          clock.move(waits);
          now += waits;
          // The earlier retention may be applied before the new one.
          earliest = await enforced(topic, retention, earliestIn(model, earliest, retention, now));
          retention = change ?? retention;
          earliest = await enforced(topic, retention, earliestIn(model, earliest, retention, now));

          const visible = range(earliest, model.length).filter((offset) => (model[offset]?.expires ?? 0) > now);
          expect((await node.read(topic)).offsets).toEqual(visible);
          expect(await node.read(topic)).toMatchObject({ next: model.length });
          expect((await node.read(topic, { direction: "backward" })).offsets).toEqual(visible.toReversed());
          expect((await node.read(topic, { limit: 3 })).offsets).toEqual(visible.slice(0, 3));
          const late = node.follow(topic, { start: { at: "offset", offset: 0 }, whenTrimmed: "skip" });
          const seen = await late.until("caught-up");
          expect(seen.flatMap((each) => (each.kind === "page" ? offsetsIn(each.runs) : []))).toEqual(visible);
          const skipped = seen.find((each) => each.kind === "skipped");
          if (earliest > 0) expect(skipped).toMatchObject({ reason: "trimmed", firstOffset: 0, nextOffset: earliest });
          await late.cancel();
        }
        // A follower that was already there received each record before the end of its lifetime, or was informed of
        // missed ones.
        expect([...follower.missed, ...follower.offsets].toSorted((x, y) => x - y)).toEqual(range(0, model.length));
        expect(follower.missed.every((offset) => offset < earliest)).toBe(true);
        await follower.cancel();
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  test("a reader whose offset was removed receives the earliest offset, or what it missed", async () => {
    const topic = await createTopic();
    await append(topic, range(0, 50));
    await enforced(topic, { ...noRetention, records: 10 }, 40);
    const start = { at: "offset", offset: 7 } as const;
    const metadata = { earliest_offset: "40", next_offset: "50" };
    await expect(node.read(topic, { start })).rejects.toMatchObject({ code: "offset-out-of-range", metadata });
    const skipped = await node.read(topic, { start, whenTrimmed: "skip" });
    expect(skipped).toMatchObject({ kinds: ["skipped", "page"], offsets: range(40, 50), next: 50 });
    // The rows are deleted too, and the topic accepts more.
    await expect.poll(async () => readFrame(store, (await head(topic)).topicId, 39), { interval: 5 }).toBeUndefined();
    await append(topic, [1]);
    // A read from the earliest offset succeeds, however fast that moves.
    expect((await node.read(topic)).offsets.at(-1)).toBe(50);
  });

  test("the newest records are the same in both directions, even if the lifetime of some has ended", async () => {
    const topic = await createTopic();
    await append(topic, [1, 1, 1, 1], [undefined, undefined, 5, undefined]);
    clock.move(10);
    const start = { at: "last", count: 3 } as const;
    expect((await node.read(topic, { start })).offsets).toEqual([1, 3]);
    const backward = await node.read(topic, { start, direction: "backward" });
    expect(backward).toMatchObject({ offsets: [3, 1], ends: [1], next: 1 });
  });

  test("a topic that is published to stays near its bound of records or bytes, without a sweep", async () => {
    const frame = framesOf([100], 0).bytes.length;
    for (const retention of [{ records: 100 }, { bytes: 100 * frame }]) {
      const topic = await createTopic(retention);
      for (let batch = 0; batch < 40; batch += 1) await append(topic, Array<number>(20).fill(100));
      // Three records beyond the bound are not worth a statement.
      await expect.poll(async () => (await head(topic)).earliestOffset, { interval: 2 }).toBeGreaterThanOrEqual(697);
      // None of its commits was decided twice because of that.
      expect((await head(topic)).version).toBe(0);
    }
    expect((await node.metrics.appendsRestamped.get()).values[0]?.value).toBe(0);
  });

  test("a state returns each record during its lifetime, and a watcher that has it keeps it until the key changes", async () => {
    topics += 1;
    const topic = `state/${topics}`;
    const { engine } = node;
    await createKeyed(engine, topic);
    await appendKeyed(engine, topic, [
      { key: "a", text: "1", lifetime: 5 },
      { key: "b", text: "2" },
      { key: "c", text: "3", lifetime: 25 },
    ]);
    const early = new TestWatcher(engine, topic);
    await early.until("snapshot-end");
    expect([...early.state.keys()]).toEqual(["a", "b", "c"]);
    const got = async () => {
      const message = await engine.getState({ topic, keys: ["a", "b", "c"] }, new AbortController().signal);
      return message.records;
    };
    expect(await got()).toBe(3);
    clock.move(10);
    expect(await got()).toBe(2);
    expect([...(await listedState(engine, topic)).keys()]).toEqual(["b", "c"]);
    const late = new TestWatcher(engine, topic);
    await late.until("snapshot-end");
    expect([...late.state.keys()]).toEqual(["b", "c"]);
    expect([...early.state.keys()]).toEqual(["a", "b", "c"]);
    await appendKeyed(engine, topic, [{ key: "a", text: "4" }]);
    for (const watcher of [early, late]) {
      while (!watcher.isAt(4)) await watcher.pull();
      expect(watcher.state.get("a")).toBe("4");
      await watcher.leave();
    }
    expect(await got()).toBe(3);
  });

  test("a record that replaced another and whose lifetime ended removes the key from a watcher that was away", async () => {
    topics += 1;
    const topic = `state/${topics}`;
    const { engine } = node;
    await createKeyed(engine, topic);
    await appendKeyed(engine, topic, [
      { key: "a", text: "old" },
      { key: "b", text: "b" },
    ]);
    const filter = parseFilter('text != ""');
    const watchers = [new TestWatcher(engine, topic), new TestWatcher(engine, topic, { filter })];
    for (const watcher of watchers) {
      await watcher.until("snapshot-end");
      await watcher.leave();
    }
    await appendKeyed(engine, topic, [{ key: "a", text: "new", lifetime: 1 }]);
    clock.move(5);
    await appendKeyed(engine, topic, [{ key: "c", text: "c" }]);
    for (const watcher of watchers) {
      await watcher.resume();
      await watcher.until("snapshot-end");
      expect(watcher.state).toEqual(await listedState(engine, topic));
      await watcher.leave();
    }
  });

  test("a topic that another node trimmed, or whose retention it lowered, is checked again", async () => {
    const topic = await createTopic({ records: 1000 });
    const { topicId } = await head(topic);
    await append(topic, Array<number>(200).fill(1));
    await store.updateTopic(topicId, { retention: { records: 50 } });
    await node.engine.topics.update(await createTopic(), { retention: noRetention });
    await expect.poll(async () => (await head(topic)).earliestOffset, { interval: 2 }).toBe(150);
    // From now on it knows.
    await append(topic, Array<number>(60).fill(1));
    await expect.poll(async () => (await head(topic)).earliestOffset, { interval: 2 }).toBe(210);
  });
});
