/** Which consumer gets a record: a test for each event between its reading and its settling. */

import { describe, expect, test } from "vitest";
import type { DeliveryPolicy, Sharing } from "../../../src/core/index.js";
import type { DeliveredRange } from "../../../src/engine/index.js";
import { batchOf } from "../../support/frames.js";
import { range } from "../../support/open-engine.js";
import { at, consumingOn } from "./consuming.js";
import { openConsumer } from "./test-consumer.js";

const deadlineMs = 1000;

describe("handing out", () => {
  const consuming = consumingOn("embedded");
  const { append, createTopic, open, pass, progressOf } = consuming;
  const subscribe = (topic: string, sharing: Sharing, change: Partial<DeliveryPolicy> = {}): Promise<string> =>
    consuming.subscribeTo(topic, sharing, { ackDeadlineMs: deadlineMs, retryMinMs: 0, retryMaxMs: 0, ...change });

  test.each(["shared", "exclusive", "keyed"] as const)(
    "%s: a record whose lifetime ends while it waits for its turn is skipped",
    async (sharing) => {
      const topic = await createTopic();
      const lifetimes = range(0, 10).map((number) => (number < 8 ? 20 : undefined));
      const batch = batchOf(
        Array.from({ length: 10 }, () => 1),
        lifetimes,
      );
      await consuming.node.engine.append({ topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
      const consumer = await open(await subscribe(topic, sharing, { ackDeadlineMs: 60_000 }), { records: 1 });
      expect(await consumer.take(1)).toEqual([{ offset: 0, attempt: 1 }]);
      pass(30_000);
      consumer.acknowledge(0);
      expect(await consumer.take(1)).toEqual([{ offset: 8, attempt: 1 }]);
      consumer.acknowledge(8);
      expect(await consumer.take(1)).toEqual([{ offset: 9, attempt: 1 }]);
      consumer.acknowledge(9);
      await consumer.told("acknowledged", 3);
      await expect.poll(async () => (await progressOf(topic)).unsettled).toBe(0);
      await consumer.lose();
    },
  );

  test.each(["shared", "exclusive", "keyed"] as const)(
    "%s: a record that is trimmed while it waits for its turn is skipped, and the consumer is informed",
    async (sharing) => {
      const topic = await createTopic();
      await append(
        topic,
        range(0, 10).map((number) => ({ key: `k${number}` })),
      );
      const consumer = await open(await subscribe(topic, sharing, { ackDeadlineMs: 60_000 }), { records: 1 });
      const [first] = await consumer.take(1);
      await consuming.node.engine.topics.trim(topic, 7, 0);
      expect((await progressOf(topic)).unsettled).toBe(3);
      consumer.acknowledge(first?.offset ?? -1);
      const skipped = new Set<number>();
      while (consumer.delivered.length < 4 || skipped.size < 6) {
        const { event, runs } = await consumer.next();
        if (event?.kind === "skipped") for (const each of range(event.firstOffset, event.nextOffset)) skipped.add(each);
        if (runs.length > 0) consumer.acknowledge(consumer.delivered.at(-1)?.offset ?? -1);
      }
      expect(
        consumer.delivered
          .slice(1)
          .map(({ offset }) => offset)
          .sort(),
      ).toEqual([7, 8, 9]);
      expect([...skipped].sort()).toEqual(range(0, 7).filter((offset) => offset !== first?.offset));
      await consumer.lose();
    },
  );

  test("a record to redeliver is skipped too when its lifetime has ended", async () => {
    const topic = await createTopic();
    const batch = batchOf([1, 1], [20, undefined]);
    await consuming.node.engine.append({ topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    const consumer = await open(await subscribe(topic, "shared", { ackDeadlineMs: 60_000 }), { records: 1 });
    await consumer.take(1);
    consumer.say({ reject: [{ range: at(0), delayMs: 25_000, reason: "" }] });
    expect(await consumer.take(1)).toEqual([{ offset: 1, attempt: 1 }]);
    pass(30_000);
    consumer.acknowledge(1);
    await expect.poll(async () => (await progressOf(topic)).unsettled, { timeout: 5000 }).toBe(0);
    expect(consumer.delivered).toHaveLength(2);
    await consumer.lose();
  });

  test("KEYED: a key leaves the consumer that lets its deadline pass, and is not parked while another is idle", async () => {
    const topic = await createTopic();
    await append(
      topic,
      range(0, 20).map((number) => ({ key: `k${number}` })),
    );
    const name = await subscribe(topic, "keyed", { attemptsMax: 2 });
    const silent = await open(name, { records: 5 });
    const taken = (await silent.take(5)).map(({ offset }) => offset);
    // It reads, and answers nothing.
    const reading = silent.take(1000).catch(() => []);
    const idle = await open(name);
    const settled = new Set<number>();
    pass(deadlineMs + 1);
    while (settled.size < 20) {
      for (const { offset, attempt } of await idle.take(1)) {
        settled.add(offset);
        expect(attempt).toBe(taken.includes(offset) ? 2 : 1);
        idle.acknowledge(offset);
      }
    }
    expect((await progressOf(name)).parked).toBe(0);
    expect(silent.delivered).toHaveLength(5);
    await silent.lose();
    await reading;
    await idle.lose();
  });

  test.each(["shared", "keyed"] as const)(
    "%s: records that a transport does not take in time go to others, and no failure is counted",
    async (sharing) => {
      const topic = await createTopic();
      await append(
        topic,
        range(0, 20).map((number) => ({ key: `k${number}` })),
      );
      const name = await subscribe(topic, sharing, { attemptsMax: 1 });
      const stalled = await open(name);
      // The message is handed to its transport, which never calls back.
      const held = new Set((await stalled.take(1)).map(({ offset }) => offset));
      for (const { offset } of stalled.delivered) held.add(offset);
      const other = await open(name);
      pass(deadlineMs + 1);
      const settled = new Set<number>();
      while (settled.size < 20) {
        for (const { offset, attempt } of await other.take(1)) {
          settled.add(offset);
          expect(attempt).toBe(held.has(offset) ? 2 : 1);
          other.acknowledge(offset);
        }
      }
      expect((await progressOf(name)).parked).toBe(0);
      // When it reads again, it is informed that its work would be lost.
      const told = new Set<string>();
      await stalled.until(({ confirmed }) => {
        for (const name of namesOf(confirmed?.stale)) told.add(name);
        return told.size >= held.size ? true : undefined;
      });
      expect([...told].sort()).toEqual([...held].map((offset) => `${offset} at 1`).sort());
      await stalled.lose();
      await other.lose();
    },
  );

  test("a consumer whose transport did not take a delivery is informed of that delivery, and not of the next", async () => {
    const topic = await createTopic();
    await append(topic, [{}]);
    const name = await subscribe(topic, "shared");
    const stalled = await open(name);
    const told: string[] = [];
    const until = (isEnough: () => boolean) =>
      stalled.until(({ confirmed }) => {
        told.push(...namesOf(confirmed?.stale));
        return isEnough() ? true : undefined;
      });
    // The message is handed to its transport, which does not call back before the deadline.
    expect(await stalled.take(1)).toEqual([{ offset: 0, attempt: 1 }]);
    pass(deadlineMs + 1);
    await expect.poll(async () => (await progressOf(name)).retries).toBe(1);
    await until(() => told.length > 0 && stalled.delivered.length > 1);
    expect(told).toEqual(["0 at 1"]);
    expect(stalled.delivered.at(-1)).toEqual({ offset: 0, attempt: 2 });
    // It had begun to work on the first delivery before it read that.
    stalled.say({ reject: [{ range: at(0), attempt: 1, delayMs: 0, reason: "too late" }] });
    await until(() => told.length > 1);
    expect(told).toEqual(["0 at 1", "0 at 1"]);
    stalled.say({ acknowledge: [{ range: at(0), attempt: 2 }] });
    expect(await stalled.told("acknowledged", 1)).toEqual([0]);
    // "Any" attempt is stale only when no attempt is left.
    stalled.say({ acknowledge: [{ range: at(0), attempt: 2 }, at(0)] });
    told.length = 0;
    await until(() => told.length > 1);
    expect(told.sort()).toEqual(["0 at 0", "0 at 2"]);
    await stalled.lose();
  });

  test("a verdict on an earlier attempt is stale, and settles nothing", async () => {
    const topic = await createTopic();
    await append(topic, [{}]);
    const consumer = await open(await subscribe(topic, "shared"));
    expect(await consumer.take(1)).toEqual([{ offset: 0, attempt: 1 }]);
    const again = consumer.take(1);
    pass(deadlineMs + 1);
    expect(await again).toEqual([{ offset: 0, attempt: 2 }]);
    consumer.say({ acknowledge: [{ range: at(0), attempt: 1 }] });
    expect(await consumer.told("stale", 1)).toEqual([0]);
    consumer.say({ extend: [{ range: at(0), attempt: 1, byMs: 60_000 }] });
    expect(await consumer.told("stale", 1)).toEqual([0]);
    // A late and a valid verdict in one message: both are heard.
    consumer.say({
      acknowledge: [
        { range: at(0), attempt: 1 },
        { range: at(0), attempt: 2 },
      ],
    });
    expect(await consumer.told("acknowledged", 1)).toEqual([0]);
    await consumer.lose();
  });

  test("an acknowledgement from before a Seek does not settle the replay", async () => {
    const topic = await createTopic();
    await append(topic, [{}, {}, {}]);
    const name = await subscribe(topic, "shared", { ackDeadlineMs: 60_000 });
    const consumer = await open(name);
    await consumer.take(3);
    consumer.say({ acknowledge: [{ range: at(0), attempt: 1 }] });
    await consumer.told("acknowledged", 1);
    await consuming.node.engine.subscriptions.seek(name, { at: "earliest" });
    const replay = await consumer.take(3);
    expect(replay.map(({ offset }) => offset)).toEqual([0, 1, 2]);
    const attempt = replay[0]?.attempt ?? 0;
    expect(attempt).toBeGreaterThan(1);
    const all = { firstOffset: 0, nextOffset: 3 };
    consumer.say({ acknowledge: [{ range: all, attempt: 1 }] });
    expect(await consumer.told("stale", 3)).toEqual([0, 1, 2]);
    expect((await progressOf(name)).unsettled).toBe(3);
    consumer.say({ acknowledge: [{ range: all, attempt }] });
    expect(await consumer.told("acknowledged", 3)).toEqual([0, 1, 2]);
    await consumer.lose();
  });

  test("a record that its consumer released and then committed is not delivered again", async () => {
    const topic = await createTopic();
    await append(topic, [{}, {}, {}]);
    const name = await subscribe(topic, "shared", { ackDeadlineMs: 60_000 });
    const consumer = openConsumer(consuming.node.engine, {
      kind: "subscription",
      subscription: name,
      consumer: "",
      window: { records: 1, bytes: 1000 },
    });
    const session = await consumer.until(({ event }) => (event?.kind === "started" ? event.session : undefined));
    expect(await consumer.take(1)).toEqual([{ offset: 0, attempt: 1 }]);
    // Without a consumer with an open window the node would give its claims back. Its window is full.
    const other = await open(name, { records: 1 });
    expect(await other.take(1)).toEqual([{ offset: 1, attempt: 1 }]);
    consumer.say({ window: { records: 0, bytes: 1000 }, release: [at(0)] });
    await consumer.told("released", 1);
    await consuming.node.engine.commit({
      subscription: name,
      session,
      acknowledge: [{ range: at(0), attempt: 1 }],
      append: [],
    });
    consumer.say({ window: { records: 1, bytes: 1000 } });
    expect(await consumer.take(1)).toEqual([{ offset: 2, attempt: 1 }]);
    consumer.acknowledge(2);
    await consumer.told("acknowledged", 1);
    expect(consumer.delivered).toHaveLength(2);
    await Promise.all([consumer.lose(), other.lose()]);
  });

  test("a record is redelivered with the same frame, whether or not that is still in memory", async () => {
    const topic = await createTopic();
    await append(
      topic,
      range(0, 50).map((number) => ({ key: `k${number}`, text: `text ${number}` })),
    );
    const consumer = await open(await subscribe(topic, "shared", { ackDeadlineMs: 60_000, attemptsMax: 9 }));
    const first = await consumer.take(50);
    consumer.say({
      reject: [
        { range: { firstOffset: 10, nextOffset: 20 }, delayMs: 0, reason: "" },
        { range: { firstOffset: 20, nextOffset: 30 }, delayMs: 7000, reason: "" },
      ],
    });
    const soon = await consumer.take(10);
    pass(8000);
    const later = await consumer.take(10);
    const attempts = [...soon, ...later].map(({ offset, attempt }) => [offset, attempt]);
    expect(first).toHaveLength(50);
    expect(attempts).toEqual(range(10, 30).map((offset) => [offset, 2]));
    await consumer.lose();
  });
});

/** The stale records of a message, a string for each. */
function namesOf(stale: readonly DeliveredRange[] = []): string[] {
  return stale.flatMap(({ range: { firstOffset, nextOffset }, attempt }) =>
    range(firstOffset, nextOffset).map((offset) => `${offset} at ${attempt}`),
  );
}
