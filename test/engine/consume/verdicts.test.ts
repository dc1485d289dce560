import { describe, expect, test } from "vitest";
import { databaseKinds } from "../../support/database.js";
import { range } from "../../support/open-engine.js";
import { at, consumingOn } from "./consuming.js";

describe.each(databaseKinds)("verdicts on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { open, progressOf, redrive, subscribe } = consuming;

  test("a rejected record is redelivered with its attempt, and parked with its reasons after the last one", async () => {
    const name = await subscribe(3, "shared", { attemptsMax: 3, retryMinMs: 0, retryMaxMs: 0 });
    const consumer = await open(name);
    await consumer.take(3);
    consumer.acknowledge(0, 2);
    for (const attempt of [1, 2, 3]) {
      consumer.say({ reject: [{ range: at(1), delayMs: undefined, reason: `no ${attempt}` }] });
      if (attempt < 3) expect(await consumer.take(1)).toEqual([{ offset: 1, attempt: attempt + 1 }]);
    }
    expect(await consumer.told("rejected", 3)).toEqual([1, 1, 1]);
    const parked = await consuming.node.engine.subscriptions.getParked(name, 1);
    expect(parked).toMatchObject({ offset: 1, deliveries: 3, reasons: ["no 1", "no 2", "no 3"] });
    expect((await progressOf(name)).cursor).toBe(3);
    await redrive(name, 0);
    expect(await consumer.take(1)).toEqual([{ offset: 1, attempt: 4 }]);
    expect((await progressOf(name)).cursor).toBe(3);
    consumer.acknowledge(1);
    expect((await consumer.told("acknowledged", 3)).sort()).toEqual([0, 1, 2]);
    expect(await progressOf(name)).toMatchObject({ parked: 0, retries: 0, unsettled: 0 });
    await consumer.lose();
  });

  test("a consumer is informed of records that it released, parked or does not have", async () => {
    const name = await subscribe(4);
    const consumer = await open(name);
    await consumer.take(4);
    consumer.say({
      release: [at(0)],
      park: [{ range: at(1), reason: "bad" }],
      acknowledge: [{ firstOffset: 2, nextOffset: 9 }],
    });
    const told = {
      released: [] as object[],
      parked: [] as object[],
      stale: [] as object[],
      acknowledged: [] as object[],
    };
    await consumer.until(({ confirmed }) => {
      for (const verdict of ["released", "parked", "stale", "acknowledged"] as const) {
        told[verdict].push(...(confirmed?.[verdict] ?? []));
      }
      return Object.values(told).every((ranges) => ranges.length > 0) ? true : undefined;
    });
    expect(told).toEqual({
      released: [at(0)],
      parked: [at(1)],
      acknowledged: [{ firstOffset: 2, nextOffset: 4 }],
      stale: [{ range: { firstOffset: 4, nextOffset: 9 }, attempt: 0 }],
    });
    // A release is not an attempt.
    if (consumer.delivered.filter(({ offset }) => offset === 0).length === 1) await consumer.take(1);
    expect(consumer.delivered.at(-1)).toEqual({ offset: 0, attempt: 1 });
    await consumer.lose();
    expect(await consuming.node.engine.subscriptions.getParked(name, 1)).toMatchObject({ reasons: ["bad"] });
  });

  test("of two verdicts on an offset in one message the first counts", async () => {
    const name = await subscribe(400);
    const consumer = await open(name);
    await consumer.take(400);
    const run = (firstOffset: number, nextOffset: number) => ({ firstOffset, nextOffset });
    consumer.say({
      acknowledge: [run(0, 2), run(1, 3)],
      reject: [{ range: run(2, 4), delayMs: 60_000, reason: "" }],
      extend: [
        { range: run(0, 2 ** 53 - 1), byMs: 60_000 },
        { range: run(300, 2 ** 53 - 1), byMs: 1000 },
      ],
    });
    expect(await consumer.told("acknowledged", 3)).toEqual([0, 1, 2]);
    expect(await consumer.told("rejected", 1)).toEqual([3]);
    expect(await consumer.told("extended", 396)).toEqual(range(4, 400));
    await consumer.lose();
  });
});
