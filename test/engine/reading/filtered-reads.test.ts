import { afterAll, beforeAll, describe, test } from "vitest";
import type { Store } from "../../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { compareFilteredReads } from "./filtered-reads.js";

describe.each(databaseKinds)("Filtered reads on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
  });
  afterAll(() => database.drop());

  test("history and live, agree with the model of any filter, to the last record", async () => {
    await compareFilteredReads(store, 60, Math.floor(Math.random() * 2 ** 31));
  });
});
