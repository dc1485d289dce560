import { describe, expect, test } from "vitest";
import { databaseKinds, onPostgres } from "../../support/database.js";
import { at, consumingOn } from "./consuming.js";

describe.each(databaseKinds)("deadlines on %s", (kind) => {
  const { open, pass, subscribe } = consumingOn(kind);

  test("a record that is not acknowledged in time is redelivered; one that was extended is not", async () => {
    const name = await subscribe(2, "shared", { ackDeadlineMs: 1000 });
    const consumer = await open(name);
    await consumer.take(2);
    consumer.say({ extend: [{ range: at(1), byMs: 60_000 }] });
    expect(await consumer.told("extended", 1)).toEqual([1]);
    pass(1001);
    expect(await consumer.take(1)).toEqual([{ offset: 0, attempt: 2 }]);
    expect(consumer.delivered).toHaveLength(3);
    consumer.acknowledge(0, 1);
    expect((await consumer.told("acknowledged", 2)).sort()).toEqual([0, 1]);
    await consumer.lose();
  });
});

describe.each(onPostgres)("deadlines on %s", (kind) => {
  const { open, pass, publish, subscribe } = consumingOn(kind);

  test("a deadline passes also while the consumer acknowledges other records", async () => {
    const name = await subscribe(3, "shared", { ackDeadlineMs: 30_000 });
    const consumer = await open(name, { records: 2 });
    await consumer.take(2);
    consumer.acknowledge(1);
    await consumer.take(1);
    pass(31_000);
    const isAgain = (): boolean => consumer.delivered.some(({ offset, attempt }) => offset === 0 && attempt === 2);
    for (let done = 2; !isAgain(); ) {
      for (; done < consumer.delivered.length; done++) consumer.acknowledge(consumer.delivered[done]?.offset ?? 0);
      // There is always another record to acknowledge.
      await publish(name, [done]);
      await consumer.next();
    }
    await consumer.lose();
  });
});
