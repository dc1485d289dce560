import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";

/** Two nodes write the same topics in turns: what one of them knows between its commits may be wrong. */
describe("An appender's view of its topic", () => {
  let database: TestDatabase;
  let one: TestEngine;
  let other: TestEngine;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    [one, other] = (await Promise.all(
      [0, 1].map(async () => openTestEngine(await database.openStore(), { headPollMs: 60_000 })),
    )) as [TestEngine, TestEngine];
  });
  afterAll(async () => {
    await Promise.all([one.engine.close(), other.engine.close()]);
    await database.drop();
  });

  const restamped = async (node: TestEngine): Promise<number> =>
    Number(/^millrace_appends_restamped_total (\d+)$/m.exec(await node.metrics.registry.metrics())?.[1]);
  const producer = (id: string, sequence: number) => ({ producer: { id, generation: 0, sequence } });

  it("follows this node's commits, so that a single writer never decides twice", async () => {
    const before = await restamped(one);
    for (const sequence of range(0, 5)) await one.append("alone", [1], producer("p", sequence));
    expect(await restamped(one)).toBe(before);
  });

  it("is read again before it refuses", async () => {
    await one.append("refusals", [1]);
    await other.append("refusals", [1, 1]);
    expect(await one.append("refusals", [1], { expectedOffset: 3 })).toMatchObject({ firstOffset: 3 });
    await other.append("refusals", [1], producer("p", 0));
    expect(await one.append("refusals", [1], producer("p", 1))).toMatchObject({ firstOffset: 5, isRepeated: false });
  });

  it("forgets all producers when another node has written, so that a batch is applied once", async () => {
    await one.append("producers", [1], producer("p", 0));
    await one.append("producers", [1], producer("q", 0));
    const applied = await other.append("producers", [1], producer("q", 1));
    await one.append("producers", [1], producer("p", 1));
    expect(await one.append("producers", [1], producer("q", 1))).toEqual({ ...applied, isRepeated: true });
    expect((await one.read("producers")).offsets).toEqual(range(0, 4));
  });
});
