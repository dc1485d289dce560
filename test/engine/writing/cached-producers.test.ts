import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";

describe("Producers whose state a node keeps in memory", () => {
  let database: TestDatabase;
  let node: TestEngine;

  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    node = await openTestEngine(await database.openStore(), { cachedProducers: 3, idleTopics: 2 });
  });
  afterAll(async () => {
    await node.engine.close();
    await database.drop();
  });

  const cached = async (): Promise<number> => {
    const page = await node.metrics.registry.metrics();
    return Number(/^millrace_cached_producers (\d+)$/m.exec(page)?.[1]);
  };
  const send = (topic: string, id: number, sequence: number) =>
    node.append(topic, [1], { producer: { id: `p${id}`, generation: 0, sequence } });

  it("are bounded over all topics, and a producer that was evicted is judged as before", async () => {
    for (const sequence of range(0, 3)) {
      for (const id of range(0, 5)) {
        for (const topic of ["one", "two"]) {
          const first = await send(topic, id, sequence);
          expect(await send(topic, id, sequence)).toEqual({ ...first, isRepeated: true });
          expect(await cached()).toBeLessThanOrEqual(3);
        }
      }
    }
    expect(await cached()).toBeGreaterThan(0);
    await expect(send("one", 0, 4)).rejects.toMatchObject({ code: "producer-gap" });
  });

  it("are dropped with their topic", async () => {
    for (const topic of ["three", "four"]) await node.append(topic, [1]);
    await expect.poll(cached).toBe(0);
  });
});
