import { afterAll, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { consumeOnTwoNodes } from "./consume-two-nodes.js";

afterAll(killServerProcesses);

// They spend much of their time waiting for a lease to end.
test.concurrent.each([
  ["shared", 0],
  ["keyed", 1],
  ["exclusive", 0],
] as const)(
  "a %s subscription on two nodes, one frozen for longer than its lease, settles each record once, with this number of kills: %i",
  (sharing, kills) => consumeOnTwoNodes({ sharing, records: 400, seed: 1, freezes: 1, kills }),
  60_000,
);
