import { afterAll, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { parkPoison } from "./consume-poison.js";

afterAll(killServerProcesses);

test.concurrent.each([
  ["shared", "postgres"],
  ["keyed", "postgres"],
] as const)(
  "poison of a %s subscription on %s is parked with its five reasons, and is redelivered by a redrive",
  (sharing, kind) => parkPoison(kind, { sharing, records: 300, poison: 10 }),
  60_000,
);
