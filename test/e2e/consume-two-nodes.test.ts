import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { consumeOnTwoNodes } from "./consume-two-nodes.js";

afterEach(killServerProcesses);

test.each(["shared", "keyed", "exclusive"] as const)(
  "a %s subscription on two nodes, one frozen for longer than its lease, settles each record once",
  (sharing) => consumeOnTwoNodes({ sharing, records: 1000, seed: 1, freezes: 1, kills: 0 }),
  60_000,
);

test(
  "a keyed subscription on two nodes, one killed, settles each record once",
  () => consumeOnTwoNodes({ sharing: "keyed", records: 1000, seed: 2, freezes: 0, kills: 1 }),
  60_000,
);
