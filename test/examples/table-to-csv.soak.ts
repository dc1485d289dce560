import { expect, test } from "vitest";
import { makeTable } from "./table-to-csv.js";

test("table-to-csv copies a million rows in flat memory", async () => {
  const table = await makeTable(1_000_000);
  try {
    const growth = (stdout: string) => Number(/memory grew by (\d+) MiB/.exec(stdout)?.[1]);
    const tenth = await table.runPlain(["--after", "900000"]);
    const whole = await table.runPlain();
    console.log(`${tenth.stdout}${whole.stdout}`);
    expect(whole.stdout).toMatch(/^1000000 rows .* the last one 1000000;/);
    // Ten times the rows: the rest is what V8 does not collect before it must.
    expect(growth(whole.stdout)).toBeLessThan(growth(tenth.stdout) + 40);
    const { copied, written } = await table.hashes();
    expect(written).toBe(copied);
  } finally {
    await table.remove();
  }
});
