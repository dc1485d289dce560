/** Parked records that are redelivered after a redrive. */

import { describe, expect, test } from "vitest";
import { databaseKinds, onPostgres } from "../../support/database.js";
import { range } from "../../support/open-engine.js";
import { holdAll } from "../control-plane.js";
import { at, consumingOn } from "./consuming.js";

describe.each(databaseKinds)("redriven records on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { open, redrive, subscribe } = consuming;

  test("SHARED, redriven records are claimed even while windows are full", async () => {
    const name = await subscribe(20);
    const { subscriptionId } = await consuming.node.engine.subscriptions.get(name);
    const consumer = await open(name, { records: 1 });
    await consumer.take(1);
    consumer.say({ park: [{ range: at(0), reason: "" }] });
    await consumer.told("parked", 1);
    if (consumer.delivered.length < 2) await consumer.take(1);
    await redrive(name, 0);
    const isTaken = async (): Promise<boolean> => {
      const sync = await consuming.store.syncSubscription(subscriptionId, { session: 0, consumers: 0, facts: "[]" });
      return sync?.claims.some(({ kind, session }) => kind === "redriven" && session !== undefined) === true;
    };
    await expect.poll(isTaken).toBe(true);
    // Its frame is being fetched: some new records may precede it.
    while (consumer.delivered.at(-1)?.offset !== 0) {
      consumer.acknowledge(consumer.delivered.at(-1)?.offset ?? 0);
      await consumer.take(1);
    }
    expect(consumer.delivered.at(-1)).toEqual({ offset: 0, attempt: 2 });
    await consumer.lose();
  });
});

describe.each(onPostgres)("redriven records on %s", (kind) => {
  const consuming = consumingOn(kind);
  const { open, openNode, publish, redrive, subscribe } = consuming;

  test("redriven records that wait for their turn do not delay new ones", async () => {
    const name = await subscribe(4, "shared", { retryBacklog: 1 });
    const first = await open(name, { records: 4 });
    await first.take(4);
    first.say({
      park: range(0, 4).map((offset) => ({ range: at(offset), reason: "" })),
      window: { records: 0, bytes: 1 },
    });
    await first.told("parked", 4);
    await redrive(name, 0.01);
    const second = await open(name);
    // One is due for its turn; the others wait for theirs on this node.
    expect(await second.take(1)).toEqual([{ offset: 0, attempt: 2 }]);
    await publish(name, range(4, 10));
    const offsets = (await second.take(6)).map(({ offset }) => offset);
    expect(offsets.sort((one, other) => one - other)).toEqual(range(4, 10));
    await Promise.all([first.lose(), second.lose()]);
  });

  test("KEYED, a redriven record that is outstanding keeps its key on its node", async () => {
    const name = await subscribe(40, "keyed");
    const one = await open(name, { records: 1 });
    expect(await one.take(1)).toEqual([{ offset: 0, attempt: 1 }]);
    one.say({ park: [{ range: at(0), reason: "" }], window: { records: 0, bytes: 1 } });
    await one.told("parked", 1);
    await redrive(name, 0);
    one.say({ window: { records: 1, bytes: 1000 } });
    while (!one.delivered.some(({ offset, attempt }) => offset === 0 && attempt === 2)) {
      one.acknowledge(...(await one.take(1)).map(({ offset }) => offset).filter((offset) => offset !== 0));
    }
    const other = await openNode({ headPollMs: 20 });
    // With this many consumers, all slots but one become theirs.
    const others = await Promise.all(range(0, 31).map(() => open(name, {}, other)));
    const takers = others.map((each) => each.take(40).catch(() => []));
    // It may have received all other records before the redriven one.
    await publish(name, range(40, 80));
    await expect.poll(() => others.some(({ delivered }) => delivered.length > 0), { timeout: 20_000 }).toBe(true);
    const taken = others.flatMap(({ delivered }) => delivered.map(({ offset }) => offset));
    expect(taken.filter((offset) => offset % 10 === 0)).toEqual([]);
    await Promise.all(others.map((each) => each.lose()));
    await Promise.all(takers);
    await one.lose();
  });

  test("a redriven record is delivered even if the topic was trimmed beyond it", async () => {
    const name = await subscribe(10, "shared");
    const subscription = await consuming.node.engine.subscriptions.get(name);
    const { session, claimId } = await holdAll(consuming.store, subscription, 10);
    const parked = [4, 5].map((offset) => ({
      claimId,
      offset,
      deliveries: 1,
      slot: 0,
      lane: undefined,
      reason: "bad",
    }));
    const { subscriptionId } = subscription;
    await consuming.store.settle({
      subscriptionId,
      session,
      settled: [],
      folds: true,
      settledRetries: [],
      retries: [],
      parked,
    });
    await consuming.store.closeSession(session);
    await consuming.node.engine.topics.trim(name, 8, 0);
    await redrive(name, 2);
    const consumer = await open(name);
    const offsets = (await consumer.take(4)).map(({ offset }) => offset);
    expect(offsets.sort((one, other) => one - other)).toEqual([4, 5, 8, 9]);
    await consumer.lose();
  });
});
