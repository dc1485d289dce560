import { afterEach, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { logAnOutage } from "./outage-log.js";

afterEach(killServerProcesses);

test(
  "a database that was away for a second and a half is logged in a few lines, whatever forty subscriptions need",
  () => logAnOutage({ subscriptions: 40, awayMs: 1500 }),
  90_000,
);
