import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { soakTimeoutMs } from "../support/soak.js";
import { logAnOutage } from "./outage-log.js";

afterEach(killServerProcesses);

test(
  "a database that was away for a minute is logged in fifty lines, whatever 500 subscriptions need",
  () => logAnOutage({ subscriptions: 500, awayMs: 60_000 }),
  soakTimeoutMs,
);
