import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReadCommand } from "../../../src/engine/index.js";
import type { Store } from "../../../src/store/index.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";

describe("Engine.read(), from an offset of a topic that the node knows", () => {
  let database: TestDatabase;
  /** Keeps every topic in memory. */
  let node: TestEngine;
  /** Forgets unused topics at once, so it looks up every name. */
  let forgetful: TestEngine;
  let lookups = 0;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    const store = await database.openStore();
    const findTopic: Store["findTopic"] = (name) => {
      lookups += 1;
      return store.findTopic(name);
    };
    node = await openTestEngine({ ...store, findTopic }, { pageBytesMin: 1024, headPollMs: 60_000 });
    forgetful = await openTestEngine(await database.openStore(), { pageBytesMin: 1024, idleTopics: 0 });
  });
  afterAll(async () => {
    await Promise.all([node.engine.close(), forgetful.engine.close()]);
    await database.drop();
  });

  const fromOffset = (offset: number, more: Partial<ReadCommand> = {}) =>
    ({ start: { at: "offset", offset }, ...more }) as const;

  it("takes one statement", async () => {
    await node.append("one-statement", range(0, 20));
    lookups = 0;
    expect((await node.read("one-statement", fromOffset(7, { limit: 1 }))).offsets).toEqual([7]);
    expect(lookups).toBe(0);
  });

  it("returns the same as a node that looks the topic up first", async () => {
    for (const _batch of range(0, 5)) await node.append("same", range(0, 20));
    await node.engine.topics.trim("same", 10, 0);
    const until = fc.oneof(
      fc.constant({ at: "end" as const }),
      fc.nat(110).map((offset) => ({ at: "offset" as const, offset })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          start: fc.nat(105).map((offset) => ({ at: "offset" as const, offset })),
          direction: fc.constantFrom("forward" as const, "backward" as const),
          until,
          limit: fc.nat(30),
          whenTrimmed: fc.constantFrom("fail" as const, "skip" as const),
        }),
        async (command) => {
          const outcomes = await Promise.all(
            [node, forgetful].map((each) =>
              each.read("same", command).catch(({ code, message }) => ({ code, message })),
            ),
          );
          expect(outcomes[0]).toEqual(outcomes[1]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("reads the topic that has the name now", async () => {
    await node.append("again", range(0, 5));
    await forgetful.engine.topics.delete("again", 0);
    const { epoch } = await forgetful.append("again", range(0, 3));
    const read = await node.read("again", fromOffset(1));
    expect(read.offsets).toEqual([1, 2]);
    const command = { start: { at: "position", position: { epoch, offset: 2 } } } as const;
    expect((await node.read("again", command)).offsets).toEqual([2]);
    await expect(node.read("again", fromOffset(4))).rejects.toMatchObject({ code: "offset-out-of-range" });
    await forgetful.engine.topics.delete("again", 0);
    await expect(node.read("again", fromOffset(1))).rejects.toMatchObject({ code: "topic-not-found" });
  });

  it("refuses a position of another epoch, with the database's epoch", async () => {
    await node.append("epochs", range(0, 5));
    await forgetful.engine.topics.delete("epochs", 0);
    const { epoch } = await forgetful.append("epochs", range(0, 5));
    const at = (of: number) => ({ start: { at: "position", position: { epoch: of, offset: 1 } } }) as const;
    await expect(node.read("epochs", at(epoch + 1))).rejects.toMatchObject({ code: "epoch-mismatch" });
    expect((await node.read("epochs", at(epoch))).offsets).toEqual([1, 2, 3, 4]);
  });
});
