/**
 * At the end of a topic each record may be a claim of its own, so a node may hold as many claims as waiting records.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noRetention } from "../../../src/core/index.js";
import { Claim } from "../../../src/engine/consume/records/claim.js";
import { step, unread } from "../../../src/engine/consume/records/record-life.js";
import { type WaitingRun, WaitingRuns } from "../../../src/engine/consume/records/waiting-runs.js";
import type { Store } from "../../../src/store/index.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { recordsOf } from "../control-plane.js";
import { openConsumer, type TestConsumer } from "./test-consumer.js";

const claimOf = (claimId: number) => new Claim({ claimId, kind: "block", slot: 0, todo: [] }, 0);

/** A waiting run; `onLook` is called when it is compared with another. */
function waitingOf(claim: Claim, firstOffset: number, dueMs: number, onLook = (): void => undefined): WaitingRun {
  const state = step(unread, { type: "restored", deliveries: 1, failures: 1, dueMs });
  if (state.phase !== "waiting") throw new Error("does not wait");
  const watched = {
    ...state,
    get dueMs() {
      onLook();
      return dueMs;
    },
  };
  const frames = { page: new Uint8Array(10), ends: Uint32Array.of(10), at: 0 };
  return { claim, firstOffset, nextOffset: firstOffset + 1, keyQueue: undefined, state: watched, frames };
}

describe("WaitingRuns", () => {
  test("dropping claims one by one examines few runs of other claims", () => {
    let looks = 0;
    let counted = 0;
    const waiting = new WaitingRuns((records) => (counted += records));
    const claims = range(0, 2000).map(claimOf);
    for (const claim of claims)
      waiting.push(waitingOf(claim, claim.claimId, 1000 - (claim.claimId % 7), () => looks++));
    looks = 0;
    for (const claim of claims) waiting.drop(claim);
    expect(looks).toBeLessThan(2000 * 100);
    expect([waiting.records, waiting.frameBytes, counted, waiting.nextMs]).toEqual([0, 0, 0, undefined]);
  });

  test("returns the runs after drops in order, with those pushed for a dropped claim since", () => {
    const waiting = new WaitingRuns(() => undefined);
    const claims = range(0, 10).map(claimOf);
    for (const claim of claims) waiting.push(waitingOf(claim, claim.claimId, claim.claimId));
    for (const claim of [0, 1, 5, 9]) waiting.drop(claims[claim] as Claim);
    waiting.push(waitingOf(claims[5] as Claim, 50, 5));
    expect([waiting.nextMs, waiting.records, waiting.frameBytes]).toEqual([2, 7, 70]);
    const offsets = waiting.takeDue(100, 100).map(({ firstOffset }) => firstOffset);
    expect(offsets).toEqual([2, 3, 4, 50, 6, 7, 8]);
    expect([waiting.nextMs, waiting.records, waiting.frameBytes]).toEqual([undefined, 0, 0]);
  });
});

describe("a group with many claims", () => {
  let database: TestDatabase;
  let store: Store;
  let node: TestEngine;
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase("embedded");
    store = await database.openStore();
    node = await openTestEngine(store, {
      claimRecords: 1,
      headPollMs: 20,
      sessionLeaseMs: 3600_000,
      heartbeatMinMs: 3600_000,
      heartbeatMaxMs: 3600_000,
    });
  });
  afterAll(async () => {
    await node?.engine.close();
    await database?.drop();
  });

  const outstanding = async (): Promise<number> => {
    const gauge = await node.metrics.registry.getSingleMetric("millrace_outstanding_records")?.get();
    return gauge?.values[0]?.value ?? -1;
  };

  async function waitFor(count: number): Promise<void> {
    await expect.poll(outstanding, { timeout: 5000 }).toBe(count);
  }

  /** A consumer that has rejected `count` records, each a claim of its own. */
  async function rejected(count: number): Promise<{ readonly name: string; readonly consumer: TestConsumer }> {
    const name = `many-${++names}`;
    const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
    await node.engine.topics.create({ name, labels: new Map(), limits, retention: noRetention, keyed: false });
    const batch = recordsOf(range(0, count).map(() => ({ text: "x" })));
    await node.engine.append({ topic: name, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    const start = { at: "earliest" } as const;
    const sharing = "shared";
    await node.engine.subscriptions.create({ name, topic: name, start, sharing, policy: {}, labels: new Map() });
    const window = { records: 1000, bytes: 1_000_000 };
    const consumer = openConsumer(node.engine, { kind: "subscription", subscription: name, consumer: "", window });
    await consumer.take(count);
    consumer.say({ reject: [{ range: { firstOffset: 0, nextOffset: count }, delayMs: 3600_000, reason: "" }] });
    await consumer.told("rejected", count);
    await waitFor(count);
    return { name, consumer };
  }

  test("drops all claims at a Seek, and continues from there", async () => {
    const { name, consumer } = await rejected(200);
    await node.engine.subscriptions.seek(name, { at: "offset", offset: 150 });
    const again = await consumer.take(50);
    expect(again.map(({ offset }) => offset).toSorted((one, other) => one - other)).toEqual(range(150, 200));
    await waitFor(50);
    await consumer.lose();
    await waitFor(0);
  });

  test("releases all claims when no consumer takes records, and takes them again", async () => {
    const { consumer } = await rejected(100);
    consumer.say({ window: { records: 0, bytes: 0 } });
    await waitFor(0);
    consumer.say({ window: { records: 10, bytes: 1000 } });
    await waitFor(100);
    await consumer.lose();
    await waitFor(0);
  });
});
