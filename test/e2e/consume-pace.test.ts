import { afterEach, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { handleSlowly } from "./consume-pace.js";

afterEach(killServerProcesses);

// All arrive at once. After half a second, records that nobody has begun are released, once.
test("a slow consumer that asks for a large window handles each record once, at attempt 1", async () => {
  expect(await handleSlowly({ records: 150, window: { records: 150 } })).toBeLessThanOrEqual(170);
});
