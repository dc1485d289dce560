import { afterEach, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { soakTimeoutMs } from "../support/soak.js";
import { returnTo } from "./client-return.js";

afterEach(killServerProcesses);

test.each([1000, 6000, 14_000])(
  "twenty clients of each kind work again within two seconds after a server that was down for %i ms serves again",
  async (downMs) => {
    const { lastMs } = await returnTo({ each: 20, downMs });
    expect(lastMs).toBeLessThan(2000);
  },
  soakTimeoutMs,
);

test.each([1000, 6000])(
  "of a thousand clients of a server that was down for %i ms, no more than half return within the same 100 ms",
  async (downMs) => {
    const { atOnce, clients } = await returnTo({ each: 250, downMs });
    expect(atOnce).toBeLessThan(clients / 2);
  },
  soakTimeoutMs,
);
