import { describe, test } from "vitest";
import { onPostgres } from "../support/database.js";
import { seededRandom } from "../support/soak.js";
import { cancelCalls } from "./cancel-calls.js";

describe.each(onPostgres)("on %s", (kind) => {
  test(
    "250 calls, cancelled at random moments, leave no stream, timer, connection or listener",
    () => cancelCalls(kind, 250, seededRandom(1)),
    60_000,
  );
});
