import { describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { seededRandom } from "../support/soak.js";
import { cancelCalls } from "./cancel-calls.js";

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "250 calls, cancelled at random moments, leave no stream, timer, connection or listener",
    () => cancelCalls(kind, 250, seededRandom(1)),
    60_000,
  );
});
