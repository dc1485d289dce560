import { describe, expect, test } from "vitest";
import { databaseKinds, onPostgres } from "../../support/database.js";
import { range } from "../../support/open-engine.js";
import { at, consumingOn } from "./consuming.js";

describe.each(databaseKinds)("calls that end, on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { open, subscribe } = consuming;

  test("a closed topic ends its consumers when all records are settled", async () => {
    const name = await subscribe(3);
    await consuming.node.engine.topics.close(name);
    const consumer = await open(name);
    await consumer.take(3);
    consumer.acknowledge(0, 1, 2);
    await consumer.until(({ event }) => (event?.kind === "closed" ? true : undefined));
    await expect(consumer.next()).rejects.toThrow("ended");
  });

  test("consumers that left leave nothing behind", async () => {
    const name = await subscribe(3);
    const consumer = await open(name);
    await consumer.take(3);
    await consumer.halfClose();
    const { subscriptionId } = await consuming.node.engine.subscriptions.get(name);
    expect(
      (await consuming.node.engine.subscriptions.list({ prefix: name, topic: "", after: "", count: 1 })).hasMore,
    ).toBe(false);
    await expect.poll(async () => (await consuming.store.readProgress(subscriptionId))?.members).toEqual([]);
    expect(await consuming.store.readProgress(subscriptionId)).toMatchObject({ unsettled: 3, cursor: 0 });
  });
});

describe.each(onPostgres)("calls that end, on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { open, subscribe } = consuming;

  test("a call that fails with many messages to send ends", async () => {
    const name = await subscribe(1);
    const [silent, other] = [await open(name), await open(name)];
    silent.say({ release: range(0, 12_000).map((index) => at(10 + 2 * index)) });
    await expect.poll(() => silent.unheard).toBe(0);
    await consuming.node.engine.subscriptions.delete(name);
    // Both calls fail at once.
    await expect(other.take(2)).rejects.toMatchObject({ code: "subscription-not-found" });
    await expect(silent.next()).rejects.toMatchObject({ code: "subscription-not-found" });
  });
});
