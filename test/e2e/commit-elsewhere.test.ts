import { afterEach, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { commitAtBothNodes } from "./commit-elsewhere.js";

afterEach(killServerProcesses);

test("records that are committed at another node than delivered them wait for no deadline", async () => {
  const { elsewhereMs } = await commitAtBothNodes(80);
  // One record of each key a deadline (30 s) would take ten minutes.
  expect(elsewhereMs).toBeLessThan(20_000);
});
