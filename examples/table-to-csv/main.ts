/**
 * An existing Postgres table to a CSV file, however large: by keyset pages, and no faster than the file takes them, so
 * memory stays flat. Stopped in the middle, it says where to go on.
 *
 * Pieces: unfold, withSignal, flatMap, toWritable.
 *
 *     make example NAME=table-to-csv ARGS="--database-url postgres://… --table cities --order-by id --file cities.csv"
 *     make example NAME=table-to-csv ARGS="… --after 500000"      # goes on behind that row
 *
 * For a million rows of four columns it prints:
 *
 *     1000000 rows in 5.5 s, the last one 1000000; memory grew by 53 MiB
 */

import { createWriteStream } from "node:fs";
import { parseArgs } from "node:util";
import pg from "pg";
import { flatMap, pipe, toWritable, withSignal } from "millrace/streams";
import { csvLine } from "./csv.js";
import { readTable, type Row } from "./read-table.js";

const { values } = parseArgs({
  options: {
    "database-url": { type: "string", default: process.env["DATABASE_URL"] ?? "" },
    table: { type: "string" },
    "order-by": { type: "string" },
    after: { type: "string" },
    "page-rows": { type: "string", default: "1000" },
    file: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const { table, "order-by": orderBy, after, file } = values;
if (table === undefined || orderBy === undefined || file === undefined || values["database-url"] === "") {
  process.stderr.write("It takes --database-url (or DATABASE_URL), --table, --order-by and --file\n");
  process.exit(2);
}

const stopped = new AbortController();
process.once("SIGINT", () => stopped.abort(new Error("stopped")));
const client = new pg.Client({ connectionString: values["database-url"] });
await client.connect();

let rows = 0;
let last: string | undefined = after;
const rssBefore = process.memoryUsage().rss;
let rssMax = rssBefore;

/** The lines of a page; the header comes with the first one, unless the file is gone on with. */
function* linesOf(page: readonly Row[]): Generator<string, void> {
  rssMax = Math.max(rssMax, process.memoryUsage().rss);
  for (const row of page) {
    if (rows === 0 && after === undefined) yield csvLine(Object.keys(row));
    rows += 1;
    last = String(row[orderBy as string]);
    yield csvLine(Object.values(row));
  }
}

const startedAt = performance.now();
try {
  await pipe(
    readTable(client, { table, orderBy, after, pageRows: Number(values["page-rows"]) }),
    withSignal(stopped.signal),
    flatMap(linesOf),
    toWritable(createWriteStream(file, { flags: after === undefined ? "w" : "a" })),
  );
} finally {
  await client.end();
  const seconds = (performance.now() - startedAt) / 1000;
  const rssGrowthMiB = Math.round((rssMax - rssBefore) / 1_048_576);
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ rows, last, seconds, rssGrowthMiB })}\n`
      : `${rows} rows in ${seconds.toFixed(1)} s, the last one ${last}; memory grew by ${rssGrowthMiB} MiB\n`,
  );
}
