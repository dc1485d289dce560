/** The claims of a node without consumers go to other nodes, whatever becomes of its last write. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noRetention, type Sharing } from "../../../src/core/index.js";
import { type Store, StoreUnavailableError } from "../../../src/store/index.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";
import { recordsOf } from "../control-plane.js";
import { openConsumer, type TestConsumer } from "./test-consumer.js";

const quick = { headPollMs: 20, heartbeatMinMs: 60_000, heartbeatMaxMs: 60_000 };

describe("consume, when the last consumer leaves a node", () => {
  let database: TestDatabase;
  let store: Store;
  let other: TestEngine;
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    store = await database.openStore();
    other = await openTestEngine(store, quick);
  });
  afterAll(async () => {
    await other?.engine.close();
    await database?.drop();
  });

  async function subscribe(count: number, sharing: Sharing): Promise<string> {
    const name = `left-${++names}`;
    const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
    await other.engine.topics.create({ name, labels: new Map(), limits, retention: noRetention, keyed: false });
    const batch = recordsOf(range(0, count).map((number) => ({ key: `k${number}`, text: "x" })));
    await other.engine.append({ topic: name, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    const start = { at: "earliest" } as const;
    await other.engine.subscriptions.create({ name, topic: name, start, sharing, policy: {}, labels: new Map() });
    return name;
  }

  function open({ engine }: TestEngine, subscription: string, records = 100): TestConsumer {
    const window = { records, bytes: 1_000_000 };
    return openConsumer(engine, { kind: "subscription", subscription, consumer: "", window });
  }

  test.each(["shared", "keyed", "exclusive"] as const)(
    "%s, claims are released once the database answers again, although the node consumes other subscriptions",
    async (sharing) => {
      let isAway = false;
      let failures = 0;
      const fail = (): void => {
        if (!isAway) return;
        failures += 1;
        throw new StoreUnavailableError("away", { outcomeUnknown: false });
      };
      const broken: Store = Object.create(store, {
        leaveSubscription: {
          value: async (...given: Parameters<Store["leaveSubscription"]>) => {
            fail();
            return store.leaveSubscription(...given);
          },
        },
        releaseClaims: {
          value: async (...given: Parameters<Store["releaseClaims"]>) => {
            fail();
            return store.releaseClaims(...given);
          },
        },
      }) as Store;
      const node = await openTestEngine(broken, quick);
      try {
        const [name, kept] = [await subscribe(10, sharing), await subscribe(1, "shared")];
        // The session of the node lasts as long as it has any consumer.
        const stays = open(node, kept);
        await stays.take(1);
        const leaves = open(node, name);
        await leaves.take(10);
        isAway = true;
        await leaves.halfClose();
        await expect.poll(() => failures).toBeGreaterThan(0);
        const heir = open(other, name);
        const taken = heir.take(10);
        isAway = false;
        expect((await taken).map(({ offset }) => offset).toSorted((one, two) => one - two)).toEqual(range(0, 10));
        await Promise.all([heir.lose(), stays.lose()]);
      } finally {
        await node.engine.close();
      }
    },
  );
});
