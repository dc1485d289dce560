import { afterEach, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { returnTo } from "./client-return.js";

afterEach(killServerProcesses);

test("clients of all kinds are back within two seconds after their server serves again, and not all at once", async () => {
  const { lastMs, atOnce, clients } = await returnTo({ each: 5, downMs: 2500 });
  expect(lastMs).toBeLessThan(2000);
  expect(atOnce).toBeLessThan(clients);
}, 60_000);
