import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm, mkdtemp, stat } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { MillraceClient } from "../../src/index.js";
import { count, forEach, lines, sleep } from "../../src/streams/index.js";
import { createTestDatabase, runOn } from "../support/database.js";
import { type Random, soakRounds, soakTimeoutMs, wholeNumberBetween } from "../support/soak.js";
import { allCities, writeCitiesCsv, writeCitiesGeoJson } from "./city-files.js";
import { withServer } from "./state.js";

const entry = new URL("../../dist/cli/main.js", import.meta.url).pathname;

interface Watched {
  readonly code: number | null;
  readonly summary: { readonly records: number; readonly seconds: number; readonly recordsPerSecond: number };
  readonly stderr: string;
  /** Samples of its memory in MiB after its start. */
  readonly rss: readonly number[];
}

/** Runs a command, and samples its memory. */
async function watchCli(args: readonly string[], address: string): Promise<Watched> {
  const child = spawn(process.execPath, [entry, ...args], { env: { ...process.env, MILLRACE_ADDRESS: address } });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const rss: number[] = [];
  const timer = setInterval(() => void rssOf(child).then((mib) => mib > 0 && rss.push(mib)), 250);
  const [code] = (await once(child, "close")) as [number | null];
  clearInterval(timer);
  const summary = JSON.parse(stdout.trim().split("\n").at(-1) || "{}") as Watched["summary"];
  return { code, summary, stderr, rss };
}

async function rssOf(child: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024);
}

/** Flat: the last third takes hardly more memory than the second. */
function expectFlat(name: string, { code, stderr, rss, summary }: Watched): void {
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const third = Math.floor(rss.length / 3);
  const [second, last] = [Math.max(...rss.slice(third, 2 * third)), Math.max(...rss.slice(2 * third))];
  console.log(
    `${name}: ${summary.records} records in ${summary.seconds} s, ${summary.recordsPerSecond} records/s; RSS ${second} MiB in the second third, ${last} MiB in the last, ${Math.max(...rss)} MiB at most`,
  );
  expect(last).toBeLessThan(second + 60);
}

const million = 1_000_000;

async function fillTopic(millrace: MillraceClient, topic: string): Promise<void> {
  const publisher = millrace.publisher(topic);
  const records = function* () {
    for (let n = 0; n < million; n++) {
      yield { key: `k${n}`, json: { n, name: `record, "${n}"` }, location: { latitude: n % 90, longitude: n % 180 } };
    }
  };
  await publisher.publishAll(records());
  await publisher.close();
}

describe("millrace export and import", () => {
  test(
    "keep their memory flat over a million records, and restore the same topic",
    () =>
      withServer("postgres", async (millrace, address) => {
        const folder = await mkdtemp(path.join(tmpdir(), "millrace-export-"));
        try {
          await fillTopic(millrace, "million");
          for (const format of ["csv", "ndjson", "geojson"]) {
            const file = path.join(folder, `million.${format}`);
            expectFlat(`export ${format}`, await watchCli(["export", "million", file], address));
            console.log(`  ${Math.round((await stat(file)).size / 1_048_576)} MiB`);
            if (format === "csv") expect(await count(lines(createReadStream(file)))).toBe(million + 1);
            expectFlat(`import ${format}`, await watchCli(["import", `copy-${format}`, file], address));
            let n = 0;
            await forEach(millrace.read(`copy-${format}`), (record) => {
              if (record.key !== `k${n}` || record.json?.["n"] !== n) throw new Error(`record ${n} is ${record.key}`);
              n += 1;
            });
            expect(n).toBe(million);
            await rm(file);
          }
        } finally {
          await rm(folder, { recursive: true });
        }
      }),
    soakTimeoutMs,
  );

  test(
    "import all cities with their locations, from GeoJSON and from CSV",
    () =>
      withServer("embedded", async (millrace, address) => {
        const folder = await mkdtemp(path.join(tmpdir(), "millrace-cities-"));
        const files = { "cities.geojson": writeCitiesGeoJson, "cities.csv": writeCitiesCsv };
        try {
          for (const [name, write] of Object.entries(files)) {
            const file = path.join(folder, name);
            await write(file);
            await millrace.topics.create(name, { keyed: true });
            const { code, summary } = await watchCli(["import", name, file], address);
            expect({ code, records: summary.records }).toEqual({ code: 0, records: allCities.length });
            console.log(`${name}: ${summary.recordsPerSecond} records/s`);
            const rectangle = { south: 45, west: 6, north: 48, east: 11 };
            const isInside = ({ loc: { coordinates } }: (typeof allCities)[number]) =>
              coordinates[0] >= 6 && coordinates[0] <= 11 && coordinates[1] >= 45 && coordinates[1] <= 48;
            expect(await count(millrace.state.list(name, { rectangle }))).toBe(allCities.filter(isInside).length);
          }
        } finally {
          await rm(folder, { recursive: true });
        }
      }),
    soakTimeoutMs,
  );
});

describe("millrace import --table", () => {
  const withTable = async (run: (databaseUrl: string) => Promise<void>) => {
    const database = await createTestDatabase("postgres");
    const url = database.connection.kind === "postgres" ? database.connection.url : "";
    try {
      await runOn(url, "create table rows (land text, id int, name text, at timestamptz, lat float8, lon float8)");
      await runOn(
        url,
        `insert into rows select 'L' || i % 5, i, 'row ' || i, now(), i % 90, i % 180 from generate_series(1, ${million}) i`,
      );
      await runOn(url, "alter table rows add primary key (land, id)");
      await runOn(url, "analyze rows");
      await run(url);
    } finally {
      await database.drop();
    }
  };
  const argsOf = (topic: string, url: string) => ["import", topic, "--table", "rows", "--database-url", url];

  /** Each row once, in the order of the primary key. */
  async function expectAll(millrace: MillraceClient, topic: string): Promise<void> {
    let rows = 0;
    let before = { land: "", id: 0 };
    await forEach(millrace.read(topic), ({ json }) => {
      const { land, id } = json as { land: string; id: number };
      const isNext = land === before.land ? id > before.id : land > before.land;
      if (!isNext) throw new Error(`${land} ${id} comes behind ${before.land} ${before.id}`);
      before = { land, id };
      rows += 1;
    });
    expect(rows).toBe(million);
  }

  test(
    "keeps its memory flat over a million rows",
    () =>
      withServer("postgres", (millrace, address) =>
        withTable(async (url) => {
          expectFlat("import --table", await watchCli(argsOf("rows", url), address));
          await expectAll(millrace, "rows");
        }),
      ),
    soakTimeoutMs,
  );

  test(
    "imports each row once, killed at random places",
    () =>
      soakRounds("killed imports", (random: Random) =>
        withServer("postgres", (millrace, address) =>
          withTable(async (url) => {
            let kills = 0;
            for (;;) {
              const child = spawn(process.execPath, [entry, ...argsOf("killed", url)], {
                env: { ...process.env, MILLRACE_ADDRESS: address },
                stdio: "ignore",
              });
              const exited = once(child, "exit");
              const patience = sleep(wholeNumberBetween(random, 700, 3000)).then(() => child.kill("SIGKILL"));
              const [code] = (await exited) as [number | null];
              await patience;
              if (code === 0) break;
              expect(code).toBe(null);
              kills += 1;
            }
            console.log(`killed ${kills} times`);
            await expectAll(millrace, "killed");
          }),
        ),
      ),
    soakTimeoutMs,
  );
});
