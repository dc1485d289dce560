import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { listBoxes, watchBoxWhileItChanges } from "./box-watch.js";
import { alps, featuresOf } from "./features.js";
import { killWatchers } from "./killed-watcher.js";
import { killServersOfState } from "./state-kills.js";
import { withServer } from "./state.js";

afterEach(killServerProcesses);

describe.each(databaseKinds)("Features on %s", (kind) => {
  test(
    "of all cities are listed by any rectangle, and watched in one through 10,000 changes",
    () =>
      soakRounds(`cities in rectangles on ${kind}`, (random) =>
        withServer(kind, async (millrace, address) => {
          const features = featuresOf(1);
          await listBoxes({ millrace, address, topic: "cities", features, rectangles: 200, random });
          const watched = { millrace, address, topic: "cities", features, rectangle: alps, random };
          await watchBoxWhileItChanges({ ...watched, changes: 10_000, keys: 500 });
        }),
      ),
    soakTimeoutMs,
  );

  test(
    "are the same for a watcher that was killed a hundred times",
    () =>
      soakRounds(`kills of a watcher on ${kind}`, (random) =>
        withServer(kind, (millrace, address) =>
          killWatchers({ millrace, address, topic: "moving", rectangle: alps, kills: 100, keys: 500, random }),
        ),
      ),
    soakTimeoutMs,
  );

  test(
    "are the latest records of the log after serve was killed ten times while they were published",
    () =>
      soakRounds(`kills of the server of a state on ${kind}`, (random) =>
        killServersOfState(kind, { kills: 10, records: 20_000, random }),
      ),
    soakTimeoutMs,
  );
});
