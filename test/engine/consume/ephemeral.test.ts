import { describe, expect, test } from "vitest";
import { databaseKinds } from "../../support/database.js";
import { at, consumingOn, wide } from "./consuming.js";
import { openConsumer } from "./test-consumer.js";

describe.each(databaseKinds)("consuming on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { subscribe } = consuming;

  test("an ephemeral consumer gets rejected records redelivered, and keeps nothing", async () => {
    const name = await subscribe(10);
    const consumer = openConsumer(consuming.node.engine, {
      kind: "ephemeral",
      topic: name,
      start: { at: "offset", offset: 5 },
      consumer: "",
      window: { ...wide, records: 3 },
    });
    await consumer.take(3);
    consumer.say({ reject: [{ range: at(6), delayMs: 0, reason: "" }] });
    consumer.acknowledge(5, 7);
    await consumer.take(3);
    expect(consumer.delivered.filter(({ attempt }) => attempt === 2)).toEqual([{ offset: 6, attempt: 2 }]);
    const left = await consumer.halfClose();
    expect(left.every(({ event }) => event?.kind !== "closed")).toBe(true);
  });
});
