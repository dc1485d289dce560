import { describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { watchWhileItChanges, withServer } from "./state.js";

describe.each(databaseKinds)("The state of a keyed topic on %s", (kind) => {
  test(
    "is the same for a watcher that was resumed a hundred times, a slow one, and a list",
    () =>
      soakRounds(`state on ${kind}`, (random) =>
        withServer(kind, (millrace) =>
          watchWhileItChanges({ millrace, topic: "features", keys: 500, changes: 40_000, resumptions: 100, random }),
        ),
      ),
    soakTimeoutMs,
  );
});
