import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { expect } from "vitest";
import { count, fromReadable, lines, pipe } from "../../src/streams/index.js";
import { createTestDatabase } from "../support/database.js";
import { runExample } from "./run-example.js";

/** Copies a table of so many rows to CSV, in two goes, and holds the file against the table. */
export async function copyTable(rows: number): Promise<{ readonly rssGrowthMiB: number }> {
  const database = await createTestDatabase("postgres");
  const folder = await mkdtemp(join(tmpdir(), "millrace-csv-"));
  try {
    if (database.connection.kind !== "postgres") throw new Error("Not on Postgres");
    const { url } = database.connection;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(
      `create table readings as select n as id, 'sensor ' || n % 10 as sensor, n / 7.0 as value, case when n % 3 = 0 then null else 'a "quoted", word' end as note from generate_series(1, ${rows}) as n; alter table readings add primary key (id)`,
    );
    const { rows: middle } = await client.query<{ sum: string }>("select sum(id) from readings");
    await client.end();
    const file = join(folder, "readings.csv");
    const args = ["--database-url", url, "--table", "readings", "--order-by", "id", "--file", file, "--json"];
    const whole = await runExample("table-to-csv", args);
    expect(whole).toMatchObject({ code: 0, stderr: "" });
    const report = JSON.parse(whole.stdout) as { rows: number; last: string; rssGrowthMiB: number };
    expect(report).toMatchObject({ rows, last: `${rows}` });
    let sum = 0;
    let quoted = 0;
    const inFile = await pipe(
      lines(fromReadable(createReadStream(file))),
      async function* (each) {
        for await (const line of each) {
          if (line.endsWith(',"a ""quoted"", word"')) quoted += 1;
          sum += Number.parseInt(line, 10) || 0;
          yield line;
        }
      },
      count(),
    );
    expect(inFile).toBe(rows + 1);
    expect(`${sum}`).toBe(middle[0]?.sum);
    expect(quoted).toBe(rows - Math.floor(rows / 3));
    const resumed = await runExample("table-to-csv", [...args, "--after", `${rows - 5}`]);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ rows: 5, last: `${rows}` });
    expect(await count(lines(fromReadable(createReadStream(file))))).toBe(rows + 6);
    return { rssGrowthMiB: report.rssGrowthMiB };
  } finally {
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  }
}
