import { afterAll, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { refusals, refuseWork } from "./refusals.js";

afterAll(killServerProcesses);

// Most of their time they wait.
test.concurrent.each(Object.entries(refusals))(
  "%s, stands in the log with its cause, and callers are told what fits",
  (_name, refusal) => refuseWork(refusal),
  60_000,
);
