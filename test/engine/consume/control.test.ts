/** How consumers see what is done to their topic and subscription. */

import { describe, expect, test } from "vitest";
import { databaseKinds } from "../../support/database.js";
import { range } from "../../support/open-engine.js";
import { consumingOn } from "./consuming.js";

describe.each(databaseKinds)("consumers on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { open, subscribe } = consuming;

  test.each(["shared", "exclusive", "keyed"] as const)(
    "%s, trimmed records are skipped, and the consumer is informed",
    async (sharing) => {
      const name = await subscribe(20, sharing);
      await consuming.node.engine.topics.trim(name, 5, 0);
      const consumer = await open(name);
      expect(await consumer.until(({ event }) => (event?.kind === "skipped" ? event : undefined))).toMatchObject({
        firstOffset: 0,
        nextOffset: 5,
      });
      while (consumer.delivered.length < 15) {
        consumer.acknowledge(...consumer.delivered.map(({ offset }) => offset));
        await consumer.next();
      }
      expect(consumer.delivered.map(({ offset }) => offset).sort((one, other) => one - other)).toEqual(range(5, 20));
      await consumer.lose();
    },
  );

  test("pause, seek and delete reach the consumers", async () => {
    const name = await subscribe(10);
    const { subscriptions } = consuming.node.engine;
    const consumer = await open(name, { records: 5 });
    await consumer.take(5);
    await subscriptions.setPaused(name, true);
    await consumer.until(({ event }) => (event?.kind === "heartbeat" && event.waiting === "paused" ? true : undefined));
    consumer.acknowledge(0, 1);
    await consumer.told("acknowledged", 2);
    expect(consumer.delivered).toHaveLength(5);
    await subscriptions.setPaused(name, false);
    expect(await consumer.take(2)).toEqual([5, 6].map((offset) => ({ offset, attempt: 1 })));
    await subscriptions.seek(name, { at: "offset", offset: 1 });
    // By default a record has five attempts, so no attempt from before has this number.
    expect(await consumer.take(5)).toEqual([1, 2, 3, 4, 5].map((offset) => ({ offset, attempt: 7 })));
    await subscriptions.delete(name);
    await expect(consumer.take(5)).rejects.toMatchObject({ code: "subscription-not-found" });
  });
});
