import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { soakRounds, soakTimeoutMs, wholeNumberBetween } from "../support/soak.js";
import { consumeOnTwoNodes } from "./consume-two-nodes.js";

afterEach(killServerProcesses);

test.each(["shared", "keyed", "exclusive"] as const)(
  "a %s subscription on two nodes, frozen five times and killed three times, settles each of 20,000 records once",
  (sharing) =>
    soakRounds(`${sharing} consumers on two nodes`, (random) => {
      const seed = wholeNumberBetween(random, 1, 2 ** 31);
      return consumeOnTwoNodes({ sharing, records: 20_000, seed, freezes: 5, kills: 3 });
    }),
  soakTimeoutMs,
);
