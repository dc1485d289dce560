import { describe, expect, test } from "vitest";
import { databaseKinds } from "../../support/database.js";
import { range } from "../../support/open-engine.js";
import { consumingOn } from "./consuming.js";

describe.each(databaseKinds)("a window on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { open, progressOf, subscribe } = consuming;

  test("a consumer gets the records that fit into its window, and more when it acknowledges some", async () => {
    const name = await subscribe(20);
    const consumer = await open(name, { records: 4 });
    expect((await consumer.take(4)).map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
    consumer.say({ acknowledge: [{ firstOffset: 0, nextOffset: 3 }] });
    expect((await consumer.take(3)).map(({ offset }) => offset)).toEqual([4, 5, 6]);
    expect(await consumer.told("acknowledged", 3)).toEqual([0, 1, 2]);
    expect((await progressOf(name)).cursor).toBe(3);
    consumer.say({ acknowledgeThrough: 5, window: { records: 100, bytes: 1_000_000 } });
    await consumer.take(13);
    consumer.say({ acknowledgeThrough: 19 });
    await consumer.halfClose();
    expect((await progressOf(name)).unsettled).toBe(0);
    expect(consumer.delivered).toEqual(range(0, 20).map((offset) => ({ offset, attempt: 1 })));
  });

  test("a window of bytes is exceeded only by a single record that is larger", async () => {
    const name = await subscribe(0);
    await consuming.node.append(name, [100, 100, 5000, 100]);
    const consumer = await open(name, { bytes: 300 });
    expect((await consumer.take(2)).map(({ offset }) => offset)).toEqual([0, 1]);
    consumer.acknowledge(0);
    expect(await consumer.told("acknowledged", 1)).toEqual([0]);
    // The large one waits until nothing else is outstanding.
    consumer.acknowledge(1);
    expect((await consumer.take(1)).map(({ offset }) => offset)).toEqual([2]);
    consumer.acknowledge(2);
    expect((await consumer.take(1)).map(({ offset }) => offset)).toEqual([3]);
    await consumer.lose();
  });
});
