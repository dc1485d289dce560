import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { createTestDatabase, runOn } from "../support/database.js";
import { runExample, type RunningExample, startExample } from "./run-example.js";

/** A table of every kind of value that CSV can get wrong, with unique columns of three types. */
const columns = `
  n as id,
  timestamptz '2026-01-01' + n * interval '1 microsecond' as at,
  'sensor ' || lpad(n::text, 7, '0') as sensor,
  n / 7.0 as value,
  case n % 5 when 0 then null when 1 then '' when 2 then 'a "quoted", word' when 3 then E'two\\nlines' else 'plain' end as note,
  jsonb_build_object('n', n) as details,
  decode('00ff', 'hex') as bytes`;

export interface CopiedTable {
  readonly url: string;
  readonly file: string;
  /** Runs the example on the table and the file. */
  run(args?: readonly string[]): ReturnType<typeof runExample>;
  /** As people see it. */
  runPlain(args?: readonly string[]): ReturnType<typeof runExample>;
  start(args: readonly string[]): RunningExample;
  /** What Postgres itself makes of the table by COPY, as a hash, and the file's. */
  hashes(orderBy?: string): Promise<{ readonly copied: string; readonly written: string }>;
  /** Resolves when something stands in the file. */
  written(): Promise<void>;
  remove(): Promise<void>;
}

export async function makeTable(rows: number): Promise<CopiedTable> {
  const database = await createTestDatabase("postgres");
  if (database.connection.kind !== "postgres") throw new Error("Not on Postgres");
  const { url } = database.connection;
  const folder = await mkdtemp(join(tmpdir(), "millrace-csv-"));
  const file = join(folder, "readings.csv");
  await runOn(
    url,
    `create table readings as select ${columns} from generate_series(1, ${rows}) as n;
     alter table readings add primary key (id), add unique (at), add unique (sensor)`,
  );
  const fixed = ["--database-url", url, "--table", "public.readings", "--order-by", "id", "--file", file];
  return {
    url,
    file,
    run: (args = []) => runExample("table-to-csv", [...fixed, "--json", ...args]),
    runPlain: (args = []) => runExample("table-to-csv", [...fixed, ...args]),
    start: (args) => startExample("table-to-csv", [...fixed, "--json", ...args]),
    async hashes(orderBy = "id") {
      const hash = createHash("sha256");
      for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
      return { copied: await hashOfCopy(url, orderBy), written: hash.digest("hex") };
    },
    async written() {
      const size = () =>
        stat(file).then(
          ({ size }) => size,
          () => 0,
        );
      while ((await size()) < 1000) await delay(5);
    },
    async remove() {
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The client takes the chunks of a COPY and forgets them; its connection tells of each. */
async function hashOfCopy(url: string, orderBy: string): Promise<string> {
  const hash = createHash("sha256");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
  connection.on("copyData", ({ chunk }: { chunk: Buffer }) => hash.update(chunk));
  await client.query(`copy (select * from readings order by ${orderBy}) to stdout (format csv, header)`);
  await client.end();
  return hash.digest("hex");
}
