import { afterEach, describe, expect, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { publishUnderRetention } from "./retention.js";

afterEach(killServerProcesses);

const bound = 100_000;

describe.each(databaseKinds)("A topic that keeps 100,000 records, on %s", (kind) => {
  test(
    "stays within a tenth of that while it is published to at full speed for a minute, and slows no publisher",
    () =>
      soakRounds(`retention on ${kind}`, async () => {
        const { bounded, free, diskBytes } = await publishUnderRetention({ kind, bound, forMs: 60_000 });
        const published = bounded.publishedPerSecond / free.publishedPerSecond;
        const followed = bounded.followedPerSecond / free.followedPerSecond;
        console.log(`retention on ${kind}: ${JSON.stringify({ bounded, free, diskBytes, published, followed })}`);
        expect(bounded.keptMax).toBeLessThanOrEqual(bound * 1.1);
        expect(published).toBeGreaterThanOrEqual(0.8);
        expect(followed).toBeGreaterThanOrEqual(0.8);
      }),
    soakTimeoutMs,
  );
});
