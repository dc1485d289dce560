import { afterEach, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { handleSlowly } from "./consume-pace.js";

afterEach(killServerProcesses);

// It begins with 16 records, which are begun within a third of a second; on a busy machine, some are not.
test("a slow default consumer handles each record once, at attempt 1", async () => {
  expect(await handleSlowly({ records: 150, window: undefined })).toBeLessThanOrEqual(16);
});

// All arrive at once. After half a second, what nobody has begun is released, once.
test("a slow consumer that asks for a large window handles each record once, at attempt 1", async () => {
  expect(await handleSlowly({ records: 150, window: { records: 150 } })).toBeLessThanOrEqual(170);
});
