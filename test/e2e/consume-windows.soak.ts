import { afterEach, describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs, wholeNumberBetween } from "../support/soak.js";
import { changeWindows, loseNoPermits } from "./consume-windows.js";

afterEach(killServerProcesses);

const size = { changes: 1000, verdicts: 100_000 };

describe.each(databaseKinds)("on %s", (kind) => {
  describe.each(["shared", "keyed", "exclusive"] as const)("a consumer of a %s subscription", (sharing) => {
    test(
      "never has more than its window, through a thousand changes",
      () =>
        soakRounds(`windows of ${sharing} consumers on ${kind}`, (random) =>
          changeWindows(kind, { ...size, sharing, seed: wholeNumberBetween(random, 1, 2 ** 31) }),
        ),
      soakTimeoutMs,
    );

    test(
      "can fill its window after 100,000 acknowledgements, rejections and timeouts",
      () =>
        soakRounds(`permits of ${sharing} consumers on ${kind}`, (random) =>
          loseNoPermits(kind, { ...size, sharing, seed: wholeNumberBetween(random, 1, 2 ** 31) }),
        ),
      soakTimeoutMs,
    );
  });
});
