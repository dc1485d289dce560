import { afterEach, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { commitAtBothNodes } from "./commit-elsewhere.js";

afterEach(killServerProcesses);

test("records that another node than the delivering one commits wait for no deadline", async () => {
  const { elsewhereMs } = await commitAtBothNodes(80);
  // If each record of a key waited for a deadline (30 s), this would take ten minutes.
  expect(elsewhereMs).toBeLessThan(20_000);
});
