import { describe, test } from "vitest";
import { createTestDatabase, databaseKinds } from "../../support/database.js";
import { soakRounds, soakTimeoutMs } from "../../support/soak.js";
import { compareFilteredReads } from "./filtered-reads.js";

describe.each(databaseKinds)("Filtered reads on %s", (kind) => {
  test(
    "history and live, agree with the model of 10,000 filters",
    () =>
      soakRounds(`filters on ${kind}`, async (random) => {
        const database = await createTestDatabase(kind);
        try {
          await compareFilteredReads(await database.openStore(), 10_000, Math.floor(random() * 2 ** 31));
        } finally {
          await database.drop();
        }
      }),
    soakTimeoutMs,
  );
});
