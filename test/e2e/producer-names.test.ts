/**
 * A publisher with a name of its own, after one with the same name. None of its records is dropped without an error.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type MillraceClient, type Publisher } from "../../src/index.js";
import { collect } from "../../src/streams/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";

describe("a publisher with a name", () => {
  let database: TestDatabase;
  let millrace: MillraceClient;

  beforeAll(async () => {
    database = await createTestDatabase("embedded");
    const server = await startServerProcess(["--listen", "127.0.0.1:0", ...databaseArguments(database.connection)]);
    millrace = createClient({ address: server.address });
  });
  afterAll(async () => {
    millrace?.close();
    await killServerProcesses();
    await database?.drop();
  });

  const textsOf = async (topic: string) =>
    (await collect(millrace.read(topic), { limit: 100 })).map(({ text }) => text);

  async function publishAll(publisher: Publisher, ...texts: readonly string[]) {
    const acknowledged = await Promise.all(texts.map((text) => publisher.publish({ text })));
    return acknowledged.map(({ offset, isRepeated }) => ({ offset, isRepeated }));
  }

  test("takes over from the publisher before, whose records stay", async () => {
    const older = millrace.publisher("named", { producerId: "sensor 7" });
    expect(await publishAll(older, "a", "b")).toEqual([0, 1].map((offset) => ({ offset, isRepeated: false })));
    await older.close();
    for (const [index, text] of ["c", "d", "e"].entries()) {
      const younger = millrace.publisher("named", { producerId: "sensor 7" });
      expect(await publishAll(younger, text)).toEqual([{ offset: 2 + index, isRepeated: false }]);
      await younger.close();
    }
    expect(await textsOf("named")).toEqual(["a", "b", "c", "d", "e"]);
    const fenced = millrace.publisher("named", { producerId: "sensor 7", generation: 1 });
    await expect(fenced.publish({ text: "late" })).rejects.toMatchObject({ reason: "PRODUCER_FENCED" });
  });

  test("is refused where its generation was used before, and no record counts as stored", async () => {
    for (const generation of [0, 5]) {
      const topic = `used-${generation}`;
      const options = { producerId: "p", generation };
      const first = millrace.publisher(topic, options);
      await publishAll(first, "a", "b", "c");
      await first.close();
      const second = millrace.publisher(topic, options);
      const refused = { code: "FAILED_PRECONDITION", reason: "PRODUCER_GENERATION_TAKEN" };
      await expect(second.publish({ text: "d" })).rejects.toMatchObject(refused);
      await expect(second.close()).rejects.toMatchObject(refused);
      expect(await textsOf(topic)).toEqual(["a", "b", "c"]);
      const higher = millrace.publisher(topic, { ...options, generation: generation + 1 });
      expect(await publishAll(higher, "e")).toEqual([{ offset: 3, isRepeated: false }]);
      await higher.close();
    }
  });

  test("is refused where two of its generation publish at once", async () => {
    const options = { producerId: "twin", generation: 3, lingerMs: 0 };
    const [one, other] = [millrace.publisher("twins", options), millrace.publisher("twins", options)];
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 20 }, (_, index) => one.publish({ text: `one ${index}` })),
      ...Array.from({ length: 20 }, (_, index) => other.publish({ text: `other ${index}` })),
    ]);
    const stored = new Set(await textsOf("twins"));
    const said = outcomes.map(({ status }, index) => ({
      text: index < 20 ? `one ${index}` : `other ${index - 20}`,
      isStored: status === "fulfilled",
    }));
    // The acknowledged ones are there; of the others the outcome is unknown.
    expect(said.filter(({ text, isStored }) => isStored && !stored.has(text))).toEqual([]);
    expect(said.some(({ isStored }) => !isStored)).toBe(true);
    await Promise.allSettled([one.close(), other.close()]);
  });
});
