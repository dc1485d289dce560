import { afterEach, describe, test } from "vitest";
import { onPostgres } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { closeWindows } from "./closed-window.js";

afterEach(killServerProcesses);

describe.each(onPostgres)("on %s", (kind) => {
  // The ten miss 120 MB: a server that kept it for them would grow beyond the limit.
  test(
    "followers whose windows are closed cost no memory, delay nobody, and get everything once they read",
    () => closeWindows(kind, { bytes: 12_000_000, stalled: 10, growthBytesMax: 60_000_000 }),
    60_000,
  );
});
