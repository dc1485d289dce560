import { afterEach, describe, test } from "vitest";
import { onPostgres } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { seededRandom } from "../support/soak.js";
import { drainWithFollows } from "./drain.js";

afterEach(killServerProcesses);

describe.each(onPostgres)("on %s", (kind) => {
  test(
    "serve, told to stop with 100 follows open, tells each where it was, and has them back afterwards",
    () => drainWithFollows(kind, 100, seededRandom(1)),
    60_000,
  );
});
