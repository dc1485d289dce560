import { afterEach, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { commitAtBothNodes } from "./commit-elsewhere.js";

afterEach(killServerProcesses);

test(
  "a thousand records of four keys take at most twice as long when another node than the delivering one commits them",
  () =>
    soakRounds("commits at another node", async () => {
      const { hereMs, elsewhereMs } = await commitAtBothNodes(1000);
      console.log(`here ${hereMs.toFixed(0)} ms, elsewhere ${elsewhereMs.toFixed(0)} ms`);
      expect(elsewhereMs).toBeLessThanOrEqual(2 * hereMs);
    }),
  soakTimeoutMs,
);
