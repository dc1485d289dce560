import { afterAll, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { refusals, refuseWork } from "./refusals.js";

afterAll(killServerProcesses);

// They spend most of their time waiting.
test.concurrent.each(Object.entries(refusals))(
  "%s, is logged with its cause, and callers receive a fitting answer",
  (_name, refusal) => refuseWork(refusal),
  60_000,
);
