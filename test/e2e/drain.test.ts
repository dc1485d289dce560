import { afterEach, describe, test } from "vitest";
import { onPostgres } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { seededRandom } from "../support/soak.js";
import { drainWithFollows } from "./drain.js";

afterEach(killServerProcesses);

describe.each(onPostgres)("on %s", (kind) => {
  test(
    "serve, stopped with 100 open follows, sends each its position, and serves them again afterwards",
    () => drainWithFollows(kind, 100, seededRandom(1)),
    60_000,
  );
});
