import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { openTestEngine, type TestEngine } from "../support/open-engine.js";

describe.each(databaseKinds)("topics.list() on %s", (kind) => {
  let database: TestDatabase;
  let node: TestEngine;
  let statements: string[] = [];

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    const store = await database.openStore();
    const counted = Object.fromEntries(
      Object.entries(store).map(([name, value]: [string, unknown]) => [
        name,
        typeof value !== "function"
          ? value
          : (...given: unknown[]): unknown => {
              statements.push(name);
              return (value as (...all: unknown[]) => unknown)(...given);
            },
      ]),
    );
    node = await openTestEngine(counted as unknown as typeof store);
  });
  afterAll(async () => {
    await node?.engine.close();
    await database?.drop();
  });

  test("returns the time of each topic's first kept record, with one statement a page", async () => {
    const names = ["t/a", "t/b", "t/c", "t/d"];
    for (const name of names) await node.append(name, [10, 10]);
    await node.engine.topics.trim("t/b", 1, 0);
    await node.engine.topics.trim("t/d", 2, 0);
    const each = await Promise.all(names.map((name) => node.engine.topics.get(name)));
    statements = [];
    const { topics } = await node.engine.topics.list({ prefix: "t/", after: "", count: 10 });
    const reads = statements.filter((name) => /^(list|read(?!Heads))/.test(name));
    expect(reads.toSorted()).toEqual(["listTopics", "readFirstFrames"]);
    expect(topics.map(({ firstTimeMicros }) => firstTimeMicros)).toEqual(each.map((topic) => topic.firstTimeMicros));
    expect(topics.map(({ firstTimeMicros = 0 }) => firstTimeMicros > 0)).toEqual([true, true, true, false]);
  });
});
