import { afterAll, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { consumeOnTwoNodes } from "./consume-two-nodes.js";

afterAll(killServerProcesses);

// Much of their time they wait for a lease to end.
test.concurrent.each(["shared", "keyed", "exclusive"] as const)(
  "a %s subscription on two nodes, one frozen for longer than its lease, settles each record once",
  (sharing) => consumeOnTwoNodes({ sharing, records: 600, seed: 1, freezes: 1, kills: 0 }),
  60_000,
);

test.concurrent(
  "a keyed subscription on two nodes, one killed, settles each record once",
  () => consumeOnTwoNodes({ sharing: "keyed", records: 600, seed: 2, freezes: 0, kills: 1 }),
  60_000,
);
