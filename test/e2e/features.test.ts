import { afterEach, describe, test } from "vitest";
import { onPostgres } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { seededRandom } from "../support/soak.js";
import { listBoxes, watchBoxWhileItChanges } from "./box-watch.js";
import { alps, featuresOf } from "./features.js";
import { killWatchers } from "./killed-watcher.js";
import { withServer } from "./state.js";

afterEach(killServerProcesses);

describe.each(onPostgres)("Features on %s", (kind) => {
  test(
    "are listed by any rectangle, and watched in one by fast, slow and killed watchers",
    () =>
      withServer(kind, async (millrace, address) => {
        const random = seededRandom(2);
        const features = featuresOf(60);
        await listBoxes({ millrace, address, topic: "cities", features, rectangles: 25, random });
        const watched = { millrace, address, topic: "cities", features, rectangle: alps, random };
        await watchBoxWhileItChanges({ ...watched, changes: 1500, keys: 200 });
        await killWatchers({ millrace, address, topic: "moving", rectangle: alps, kills: 3, keys: 200, random });
      }),
    120_000,
  );
});
