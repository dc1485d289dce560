import { expect, test } from "vitest";
import { copyTable } from "./table-to-csv.js";

test("table-to-csv copies a table whole, quotes what needs it, and goes on where it is told", async () => {
  const { rssGrowthMiB } = await copyTable(20_000);
  expect(rssGrowthMiB).toBeLessThan(100);
});
