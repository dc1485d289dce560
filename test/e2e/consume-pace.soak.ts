import { afterEach, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { handleSlowly } from "./consume-pace.js";

afterEach(killServerProcesses);

const runs = {
  "a slow default consumer": { records: 1000, window: undefined, redeliveriesMax: 32 },
  "a slow consumer with a window of 1000": { records: 1000, window: { records: 1000 }, redeliveriesMax: 1100 },
};

for (const [who, { redeliveriesMax, ...run }] of Object.entries(runs)) {
  test(
    `${who} handles each of 1000 records once, at attempt 1`,
    () =>
      soakRounds(who, async () => {
        const redeliveries = await handleSlowly(run);
        console.log(`${who}: ${redeliveries} redeliveries`);
        expect(redeliveries).toBeLessThanOrEqual(redeliveriesMax);
      }),
    soakTimeoutMs,
  );
}
