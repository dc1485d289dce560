import { afterEach, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { returnTo } from "./client-return.js";

afterEach(killServerProcesses);

test("clients of all kinds are back soon after their server serves again, and not all at once", async () => {
  const { lastMs, atOnce, clients } = await returnTo({ each: 5, downMs: 4000 });
  // The machine is busy with other tests, so it is not held to the two seconds of the soak.
  expect(lastMs).toBeLessThan(4000);
  expect(atOnce).toBeLessThan(clients);
}, 60_000);
