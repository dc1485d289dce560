/**
 * Copies a Postgres table of any size to a CSV file: by keyset pages, and no faster than the file takes them, so memory stays
 * flat. Ctrl-C, or a database that goes away, ends it after a whole row, and it prints where to continue.
 *
 * Pieces: unfold, takeWhile, recover, flatMap, concat, toWritable.
 *
 *     make example NAME=table-to-csv ARGS="--database-url postgres://… --table cities --order-by id --file cities.csv"
 *     make example NAME=table-to-csv ARGS="… --after 500000"      # continues after that row
 *
 * For a million rows of seven columns it prints:
 *
 *     1000000 rows in 13.5 s, the last one 1000000; memory grew by 53 MiB
 */

import { createWriteStream } from "node:fs";
import { parseArgs } from "node:util";
import pg from "pg";
import { concat, flatMap, pipe, recover, takeWhile, toWritable } from "millrace/streams";
import { csvLine } from "./csv.js";
import { type Page, readColumns, readTable, type TableOptions } from "./read-table.js";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    "database-url": { type: "string" },
    table: { type: "string" },
    "order-by": { type: "string" },
    after: { type: "string" },
    "page-rows": { type: "string", default: "1000" },
    file: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

/** Stopped by Ctrl-C. */
class Stopped extends Error {}

/** How the copying ended; the file has every row up to `last`. */
interface Copied {
  readonly rows: number;
  readonly last: string | undefined;
  readonly rssGrowthMiB: number;
  /** Why there may be more rows. */
  readonly failure: Error | undefined;
}

async function copyTable(client: pg.Client, file: string, options: TableOptions): Promise<Copied> {
  let rows = 0;
  let last = options.after;
  let failure: Error | undefined;
  let isStopped = false;
  // Once: a second Ctrl-C ends the program without waiting for the running page.
  process.once("SIGINT", () => (isStopped = true));
  const rssBefore = process.memoryUsage().rss;
  let rssMax = rssBefore;

  function* linesOf(page: Page): Generator<string, void> {
    rssMax = Math.max(rssMax, process.memoryUsage().rss);
    for (const row of page.rows) yield csvLine(row);
    rows += page.rows.length;
    last = page.last;
  }

  const columns = await readColumns(client, options.table);
  const lines = pipe(
    readTable(client, columns, options),
    takeWhile(() => !isStopped),
    // An end instead of an error: an error would leave the file as it is, perhaps with half a row.
    recover((error) => {
      failure = error instanceof Error ? error : new Error("The database failed", { cause: error });
      return [];
    }),
    flatMap(linesOf),
  );
  const header = options.after === undefined ? [csvLine(columns)] : [];
  const target = createWriteStream(file, { flags: options.after === undefined ? "w" : "a" });
  await toWritable(concat(header, lines), target);
  if (isStopped) failure ??= new Stopped("stopped");
  return { rows, last, rssGrowthMiB: Math.round((rssMax - rssBefore) / 1_048_576), failure };
}

async function main(table: string, orderBy: string, file: string): Promise<void> {
  const startedAt = performance.now();
  // Without a URL it uses PGHOST, PGUSER and similar variables.
  const client = new pg.Client({ connectionString: values["database-url"] ?? process.env["DATABASE_URL"] });
  // The running query fails too, and reports the failure.
  client.on("error", () => undefined);
  await client.connect();
  try {
    const { failure, ...copied } = await copyTable(client, file, {
      table,
      orderBy,
      after: values.after,
      pageRows: wholeNumber("page-rows", values["page-rows"], 1),
    });
    const seconds = (performance.now() - startedAt) / 1000;
    const { rows, last, rssGrowthMiB } = copied;
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ ...copied, seconds })}\n`
        : `${rows} rows in ${seconds.toFixed(1)} s, the last one ${last}; memory grew by ${rssGrowthMiB} MiB\n`,
    );
    if (failure === undefined) return;
    process.stderr.write(
      `${failure.message}; ${last === undefined ? "nothing was written" : `go on with --after ${last}`}\n`,
    );
    process.exitCode = failure instanceof Stopped ? 130 : 1;
  } finally {
    await client.end();
  }
}

const { table, "order-by": orderBy, file } = values;
if (table === undefined || orderBy === undefined || file === undefined) {
  process.stderr.write("It takes --table, --order-by and --file, and --database-url or DATABASE_URL\n");
  process.exitCode = 2;
} else {
  await main(table, orderBy, file).catch((error) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
