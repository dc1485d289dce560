import { describe, test } from "vitest";
import { databaseKinds } from "../support/database.js";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { readPooled } from "./pooled-pages.js";

describe.each(databaseKinds)("on %s", (kind) => {
  test(
    "2,000 readers at once each get their own bytes from reused buffers",
    () => soakRounds(`pooled pages on ${kind}`, (random) => readPooled(kind, 2000, random)),
    soakTimeoutMs,
  );
});
