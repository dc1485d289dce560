import { expect, test } from "vitest";
import { copyTable } from "./table-to-csv.js";

test("table-to-csv copies a million rows in flat memory", async () => {
  const { rssGrowthMiB } = await copyTable(1_000_000);
  console.log(`1,000,000 rows, memory grew by ${rssGrowthMiB} MiB`);
  expect(rssGrowthMiB).toBeLessThan(100);
});
