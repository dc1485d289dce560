import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fileFormats, importFile, ImportChangedError, textFromRecords } from "../../src/files/index.js";
import { createClient, type MillraceClient } from "../../src/index.js";
import { collect, map, sleep } from "../../src/streams/index.js";
import { importTable, recordsFromTable } from "../../src/tables/index.js";
import { runCli } from "../cli/run-cli.js";
import { createTestDatabase, runOn, type TestDatabase } from "../support/database.js";
import { contentOf, receivedRecords, withSortedFields } from "../support/received-record.js";
import { recordArbitrary } from "../support/record-arbitrary.js";
import { type ProgramOptions, runProgram } from "../support/run-program.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";

let folder: string;
let database: TestDatabase;
let databaseUrl: string;
let server: ServerProcess;
let millrace: MillraceClient;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "millrace-import-"));
  database = await createTestDatabase("postgres");
  databaseUrl = database.connection.kind === "postgres" ? database.connection.url : "";
  server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  millrace = createClient({ address: server.address });
});

afterAll(async () => {
  millrace.close();
  await server.stop();
  await database.drop();
  await rm(folder, { recursive: true });
});

/** A record's time and offset, which differ from topic to topic. */
const stamps = /"time":"[^"]*","offset":"\d+"|,\d+,\d{4}-[^,]*Z,/g;

const sql = (text: string) => runOn(databaseUrl, text);

const cli = (args: readonly string[], options: ProgramOptions = {}) =>
  runCli(args, { ...options, environment: { MILLRACE_ADDRESS: server.address, DATABASE_URL: databaseUrl } });

const keysOf = (topic: string) =>
  collect(
    map(millrace.read(topic), ({ key }) => key),
    { limit: 100_000 },
  );

const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index));
const linesOf = (keys: readonly string[]) => keys.map((key) => `{"key":"${key}","json":{"n":${key}}}\n`);

describe("importFile()", () => {
  test("run again continues after the last record: after a bad row, at the end, and when the file has grown", async () => {
    const file = path.join(folder, "grows.ndjson");
    const options = { format: "ndjson", producerId: "grows", batchRecords: 50 } as const;
    const lines = linesOf(numbered(230));
    await writeFile(file, [...lines.slice(0, 120), "broken\n", ...lines.slice(120)].join(""));
    await expect(importFile(millrace, "grows", file, options)).rejects.toThrow(`${file}:121: is not JSON`);
    expect(await keysOf("grows")).toEqual(numbered(120));

    await writeFile(file, lines.join(""));
    const second = await importFile(millrace, "grows", file, options);
    expect(second).toMatchObject({ records: 110, recordsBefore: 120, firstOffset: 120, nextOffset: 230 });
    expect(await importFile(millrace, "grows", file, options)).toMatchObject({ records: 0, recordsBefore: 230 });

    await appendFile(file, linesOf(numbered(100, 230)).join(""));
    expect(await importFile(millrace, "grows", file, options)).toMatchObject({ records: 100, recordsBefore: 230 });
    expect(await keysOf("grows")).toEqual(numbered(330));
  });

  test("refuses to continue with another file", async () => {
    const options = { format: "ndjson", producerId: "changes", batchRecords: 50 } as const;
    const imported = (keys: readonly string[]) =>
      importFile(millrace, "changes", [Buffer.from(linesOf(keys).join(""))], options);
    await imported(numbered(120));
    await expect(imported(numbered(120, 1))).rejects.toThrow(ImportChangedError);
    await expect(imported(numbered(20))).rejects.toThrow(ImportChangedError);
    expect(await keysOf("changes")).toEqual(numbered(120));
    const nameless = importFile(millrace, "changes", [], { ...options, producerId: "ü".repeat(51) });
    await expect(nameless).rejects.toThrow("producerId: must have 1 to 100 bytes, has 102");
  });

  test("reports a file that has become shorter, or has a bad row where it was good", async () => {
    const imported = (lines: readonly string[], producerId: string) =>
      importFile(millrace, "shorter", [Buffer.from(lines.join(""))], {
        format: "ndjson",
        producerId,
        batchRecords: 50,
      });
    const lines = linesOf(numbered(230));
    const good = (count: number) => lines.slice(0, count);
    const other = "Import the file from the start under another name (--again)";
    // By one run, and by runs that each ended in the middle of a batch.
    for (const [producerId, ends] of Object.entries({ once: [230], often: [120, 130, 230] })) {
      for (const end of ends) await imported(good(end), producerId);
      for (const count of [0, 20, 49, 50, 70, 100, 199, 200, 229]) {
        const error: unknown = await imported(good(count), producerId).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(ImportChangedError);
        const [, found, before] =
          /^Cannot continue: the file now has (\d+) records, but earlier runs imported (.*?)\. /.exec(
            (error as Error).message,
          ) ?? [];
        expect([producerId, Number(found)]).toEqual([producerId, count]);
        if (before !== "more") {
          const least = Number(/^at least (\d+)$/.exec(before ?? "")?.[1]);
          expect(least).toBeGreaterThan(count);
          expect(ends).toContain(least);
        }
        expect((error as Error).message).toContain(other);
      }
      for (const at of [3, 110, 215]) {
        const broken = [...good(at), "broken\n", ...lines.slice(at + 1)];
        await expect(imported(broken, producerId)).rejects.toThrow(`the source:${at + 1}: is not JSON`);
      }
      expect(await imported(lines, producerId)).toMatchObject({ records: 0, recordsBefore: 230 });
    }
    expect(await keysOf("shorter")).toEqual([...numbered(230), ...numbered(230)]);
  });

  test("imports each record once, wherever runs are interrupted, and when two run at once", async () => {
    const bytes = Buffer.from(linesOf(numbered(1000)).join(""));
    const run = (batches: number) => {
      const stop = new AbortController();
      return importFile(millrace, "broken-off", [bytes], {
        format: "ndjson",
        producerId: "broken-off",
        batchRecords: 30,
        onProgress: ({ records }) => {
          if (records >= batches * 30) stop.abort(new Error("stopped"));
        },
        signal: stop.signal,
      });
    };
    // When a run stops, one more batch may be on its way than it has seen acknowledged.
    for (const batches of [3, 1, 5, 1]) await expect(run(batches)).rejects.toThrow("stopped");
    await Promise.allSettled([run(Infinity), run(Infinity)]);
    await run(Infinity);
    expect(await keysOf("broken-off")).toEqual(numbered(1000));
  });
});

describe("importTable()", () => {
  const record = async (topic: string, offset: number) =>
    (await collect(millrace.read(topic, { start: { offset }, limit: 1 }), { limit: 1 }))[0]?.toJSON();

  test("makes json of every type, without rounding", async () => {
    await sql(`
      create type mood as enum ('calm', 'wild'); create domain code as text;
      create table kinds (
        id bigint primary key, small int2, real float8, wide numeric, yes bool, bytes bytea, at timestamptz, local timestamp,
        day date, span interval, doc jsonb, ints int[], longs int8[], feeling mood, code code, uid uuid, "odd.name" text,
        lat float8, lon numeric, event_time timestamptz
      );
      insert into kinds values (
        9007199254740993, -7, 0.1, 12345678901234567890.123, true, '\\x00ff', '2026-05-01 14:00:00.123456+02', '2026-05-01 12:00',
        '2026-05-01', '1 day 2 hours', '{"a": [1, null]}', '{1,2}', '{9007199254740993}', 'wild', 'x', '00000000-0000-0000-0000-000000000001',
        '', 46.9, 7.4, '2026-05-01 12:00Z'
      );
      insert into kinds (id, real) values (9007199254740994, 'NaN')`);
    await importTable(millrace, "kinds", {
      databaseUrl,
      table: "kinds",
      producerId: "kinds",
      attributeColumns: ["feeling"],
    });
    expect(await record("kinds", 0)).toMatchObject({
      key: "9007199254740993",
      attributes: { feeling: "wild" },
      location: { latitude: 46.9, longitude: 7.4 },
      eventTime: "2026-05-01T12:00:00Z",
      json: {
        id: "9007199254740993",
        small: -7,
        real: 0.1,
        wide: "12345678901234567890.123",
        yes: true,
        bytes: "AP8=",
        at: "2026-05-01T12:00:00.123456Z",
        local: "2026-05-01T12:00:00",
        day: "2026-05-01",
        span: "P1DT2H",
        doc: { a: [1, null] },
        ints: [1, 2],
        longs: ["9007199254740993"],
        feeling: "wild",
        code: "x",
        uid: "00000000-0000-0000-0000-000000000001",
        "odd.name": "",
      },
    });
    // Also as a key, with all its digits.
    await sql(`
      create table docs (at int primary key, doc jsonb);
      insert into docs values (1, '{"n": 9007199254740993}'), (2, '"text"'), (3, '9007199254740995')`);
    await importTable(millrace, "docs", { databaseUrl, table: "docs", producerId: "docs", keyColumns: ["doc"] });
    const keys = [0, 1, 2].map(async (offset) => (await record("docs", offset))?.["key"]);
    expect(await Promise.all(keys)).toEqual(['{"n": 9007199254740993}', "text", "9007199254740995"]);
    const empty = await record("kinds", 1);
    expect(empty).toMatchObject({ json: { real: "NaN", yes: null, doc: null } });
    expect(empty).not.toHaveProperty("location");
  });

  test("reads by several columns, and begins a later run after the last row", async () => {
    await sql(`
      create table "Places" (land text not null, name text not null, n int not null, at timestamptz not null, unique (land, name, at));
      insert into "Places" select 'L' || i % 7, i || '/%', i, timestamptz '2026-01-01Z' + i * interval '1 microsecond'
      from generate_series(1, 2500) i`);
    const options = { databaseUrl, table: '"Places"', orderBy: ["land", "name", "at"], producerId: "places" };
    const progress: number[] = [];
    const first = await importTable(millrace, "places", {
      ...options,
      onProgress: ({ records }) => progress.push(records),
    });
    expect(first).toMatchObject({ records: 2500, after: undefined });
    expect(progress).toEqual([500, 1000, 1500, 2000, 2500]);
    expect((await record("places", 0))?.["key"]).toBe("L0/1001%2F%25/2026-01-01T00:00:00.001001Z");

    await sql(
      `insert into "Places" values ('L9', 'new', 0, '2026-02-01Z'), ('A', 'before the last row', 0, '2026-02-01Z')`,
    );
    const second = await importTable(millrace, "places", options);
    expect(second).toMatchObject({ records: 1, firstOffset: 2500 });
    expect(second.after?.[0]).toBe("L6");
    expect(new Set(await keysOf("places")).size).toBe(2501);
  });

  test("imports each row once although its process is killed", async () => {
    await sql("create table numbers as select i as id, repeat('x', 300) as filler from generate_series(0, 5999) i");
    await sql("alter table numbers add primary key (id)");
    const args = ["import", "killed", "--table", "numbers", "--batch-records", "100"];
    const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
    const environment = { ...process.env, MILLRACE_ADDRESS: server.address, DATABASE_URL: databaseUrl };
    const child = spawn(process.execPath, [main, ...args], { env: environment, stdio: "ignore" });
    const exited = once(child, "exit");
    const reached = async () => (await millrace.topics.get("killed").catch(() => undefined))?.nextOffset ?? 0;
    while ((await reached()) < 500 && child.exitCode === null) await sleep(5);
    child.kill("SIGKILL");
    await exited;
    const { code, stdout, stderr } = await cli(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { records, after } = JSON.parse(stdout) as { records: number; after: string[] };
    expect(records).toBe(6000 - 1 - Number(after[0]));
    expect(await keysOf("killed")).toEqual(numbered(6000));
  });

  test("refuses a table that it could not read completely, and names the fix", async () => {
    await sql(`
      create table faults (id int primary key, a int not null, b int, c jsonb not null unique);
      create unique index on faults (a, b); create unique index on faults (a) where a > 0; create index on faults (b);
      create table keyless (a int)`);
    const read = (table: string, orderBy?: string[]) =>
      collect(recordsFromTable({ databaseUrl, table, orderBy }), { limit: 1 });
    const faults: [table: string, orderBy: string[] | undefined, text: string][] = [
      ["nothing", undefined, "There is no table nothing; write the name as in SQL"],
      ["keyless", undefined, "keyless has no primary key: give --order-by with the columns of a unique index"],
      ["keyless", ["a"], "Create one: create unique index on keyless (a)"],
      ["faults", ["nothing"], "faults has no column nothing; it has id, a, b, c"],
      [
        "faults",
        ["a"],
        "no unique index has exactly these columns in this order, so rows could be lost between pages. It has unique indexes on (id), ",
      ],
      ["faults", ["b", "a"], "no unique index has exactly these columns in this order"],
      [
        "faults",
        ["a", "b"],
        "b may be null, and null values have no order. Run: alter table faults alter column b set not null",
      ],
      ["faults", ["c"], "Cannot read faults by c: values of jsonb have no order"],
    ];
    for (const [table, orderBy, text] of faults) await expect(read(table, orderBy)).rejects.toThrow(text);
    await sql("insert into faults values (1, 1, 1, '{}')");
    expect(await read("faults", ["id"])).toMatchObject([{ key: "1", json: { id: 1, a: 1, b: 1, c: {} } }]);
    const options = { databaseUrl: "postgres://127.0.0.1:1/nothing", table: "faults" };
    await expect(collect(recordsFromTable(options), { limit: 1 })).rejects.toThrow("ECONNREFUSED");
  });
});

describe("millrace import and export", () => {
  const features = [
    ["zermatt", 46.02, 7.75],
    ["chamonix", 45.92, 6.87],
    ["oslo", 59.91, 10.75],
  ].map(([id, latitude, longitude]) => ({
    type: "Feature",
    id,
    geometry: { type: "Point", coordinates: [longitude, latitude] },
    properties: { name: id, n: 1 },
  }));
  const polygon = { type: "Feature", id: "lake", geometry: { type: "Polygon", coordinates: [] }, properties: {} };

  test("import and export a state, as a file, through a pipe, and in part", async () => {
    await millrace.topics.create("places-on-earth", { keyed: true });
    const input = JSON.stringify({ type: "FeatureCollection", features: [...features, polygon] });
    const stopped = await cli(["import", "places-on-earth", "-", "--format", "geojson"], { input });
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain("Imported 3 records before this:\n");
    expect(stopped.stderr).toContain('millrace: stdin: feature 3: has a geometry of type "Polygon"');
    const skipping = ["--format", "geojson", "--skip-bad", "1", "--producer-id", "by-name"];
    const imported = await cli(["import", "places-on-earth", "-", ...skipping], { input });
    expect(imported.stderr).toContain("Left out: stdin: feature 3: has a geometry");
    expect(JSON.parse(imported.stdout)).toMatchObject({ records: 3, recordsBefore: 0, skipped: 1, nextOffset: "6" });

    const file = path.join(folder, "out.geojson");
    const exported = await cli(["export", "places-on-earth", file]);
    expect(exported.stderr).toBe("");
    expect(JSON.parse(exported.stdout)).toMatchObject({ records: 3 });
    const out = JSON.parse(await readFile(file, "utf8")) as { features: { id: string }[] };
    expect(out.features.map(({ id }) => id)).toEqual(["chamonix", "oslo", "zermatt"]);

    const [piped, alps, log] = await Promise.all([
      cli(["export", "places-on-earth", "--format", "geojson"]),
      cli(["export", "places-on-earth", "--format", "csv", "--box", "6,45,11,48", "--columns", "key,n"]),
      cli(["export", "places-on-earth", "-", "--log", "--format", "ndjson", "--start", "last:2"]),
    ]);
    expect(piped.stdout).toBe(await readFile(file, "utf8"));
    expect(alps.lines).toEqual(["key,n", "chamonix,1", "zermatt,1"]);
    expect(log.lines.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(["chamonix", "oslo"]);
  });

  test("restore the same topic from an export", async () => {
    await millrace.append("original", [
      { key: "a", attributes: { unit: "°C" }, json: { n: 1.5, text: 'a,"b"\r\n' }, eventTime: new Date(1) },
      { text: "only text" },
      { key: "b", data: new Uint8Array([0, 255]), location: { latitude: -1, longitude: 1 } },
      { key: "a" },
    ]);
    const contents = async (topic: string) =>
      (await collect(millrace.read(topic), { limit: 9 })).map((record) => ({ ...record.toJSON(), time: "" }));
    const file = path.join(folder, "original.csv");
    await cli(["export", "original", file]);
    const { stdout } = await cli(["import", "copy", file]);
    expect(JSON.parse(stdout)).toMatchObject({ records: 4, recordsBefore: 0 });
    expect(await contents("copy")).toEqual(await contents("original"));
    const again = await cli(["import", "copy", file]);
    expect(JSON.parse(again.stdout)).toMatchObject({ records: 0, recordsBefore: 4 });
    const anew = await cli(["import", "copy", file, "--again"]);
    expect(JSON.parse(anew.stdout)).toMatchObject({ records: 4, firstOffset: "4" });
  });

  test("report a file that has bytes but no record", async () => {
    const files: [format: string, input: string, text: string][] = [
      ["csv", "key,n\r", "stdin has a header and no rows in its 6 bytes: nothing was imported\n"],
      ["ndjson", "\r\n\n", "stdin has no records in its 3 bytes: nothing was imported\n"],
      ["geojson", '{"type":"FeatureCollection","features":[]}', "stdin has no records in its 42 bytes"],
      ["ndjson", "", ""],
    ];
    for (const [format, input, text] of files) {
      const { code, stdout, stderr } = await cli(["import", "nothing-in-it", "-", "--format", format], { input });
      expect([code, stderr]).toEqual([0, text === "" ? "" : expect.stringContaining(text)]);
      expect(JSON.parse(stdout)).toMatchObject({ records: 0 });
    }
    const macFile = await cli(["import", "from-a-mac", "-", "--format", "csv"], { input: "key,n\ra,1\rb,2\r" });
    expect(JSON.parse(macFile.stdout)).toMatchObject({ records: 2 });
  });

  test.each(fileFormats)("restore any records, as %s", async (format) => {
    let run = 0;
    const contents = async (topic: string) => {
      const records = await collect(millrace.read(topic), { limit: 50 });
      const texts = records.map(contentOf);
      return format === "csv" ? texts.map(withSortedFields) : texts;
    };
    await fc.assert(
      fc.asyncProperty(fc.array(recordArbitrary, { minLength: 1, maxLength: 20 }), async (messages) => {
        run += 1;
        const [from, to] = [`from-${format}-${run}`, `to-${format}-${run}`];
        await millrace.append(from, receivedRecords(messages));
        const file = path.join(folder, `any.${format}`);
        const text = await collect(textFromRecords(millrace.read(from), format), { limit: 100 });
        await writeFile(file, text.join(""));
        const imported = await importFile(millrace, to, file, { format, producerId: to });
        expect(imported).toMatchObject({ records: messages.length, recordsBefore: 0 });
        expect(await contents(to)).toEqual(await contents(from));
        // The export equals the import, except for the stamps.
        const again = await collect(textFromRecords(millrace.read(to), format), { limit: 100 });
        expect(again.join("").replaceAll(stamps, "")).toBe(text.join("").replaceAll(stamps, ""));
      }),
      { numRuns: 25 },
    );
  });

  test("write the fields of json bodies as columns, report later ones, and import all again", async () => {
    const bodies = Array.from({ length: 1100 }, (_, n) => (n < 1050 ? { n, yes: n % 2 === 0 } : { n, late: "7" }));
    await millrace.append(
      "columns",
      bodies.slice(0, 600).map((json) => ({ json })),
    );
    await millrace.append(
      "columns",
      bodies.slice(600).map((json) => ({ json })),
    );
    const file = path.join(folder, "columns.csv");
    const exported = await cli(["export", "columns", file]);
    expect(exported.stderr).toBe(
      "50 records have fields without a column, because the first records lack them: these are JSON in the column body\n",
    );
    const [header, first] = (await readFile(file, "utf8")).split("\n");
    expect(header).toMatch(/,body_kind,body,n,yes$/);
    expect(first).toMatch(/,json,,0,true$/);
    const { stdout } = await cli(["import", "columns-again", file]);
    expect(JSON.parse(stdout)).toMatchObject({ records: 1100 });
    const again = await collect(millrace.read("columns-again"), { limit: 2000 });
    expect(again.map(({ json }) => json)).toEqual(bodies);
  });

  test("leave no partial file, and name what does not exist", async () => {
    const faults: [args: string[], text: string][] = [
      [["export", "original", "/nowhere/out.csv"], "Cannot write /nowhere/out.csv: ENOENT"],
      [["import", "x", "/nowhere/file.csv"], "Cannot read /nowhere/file.csv: ENOENT"],
      [["import", "x", "--table", "nothing"], "There is no table nothing"],
    ];
    const results = await Promise.all(faults.map(([args]) => cli(args)));
    for (const [index, [, text]] of faults.entries()) {
      expect(results[index]?.stderr).toContain(text);
      expect(results[index]?.code).toBe(1);
    }
  });
});

test("the program of docs/import-export.md prints what it says", async () => {
  const guide = await readFile("docs/import-export.md", "utf8");
  const program = /^```ts\n([\s\S]*?)^```$/m.exec(guide)?.[1] ?? "";
  const shown = /console\.log\(.*\); \/\/ (.*)$/m.exec(program)?.[1];
  const here = program
    .replace(/"millrace(\/\w+)?"/g, (_, door = "") => JSON.stringify(path.resolve(`dist${door}/index.js`)))
    .replace("127.0.0.1:50051", server.address)
    .replace("(id: string, n: number)", "(id, n)")
    .replace("(json as { n: number })", "json");
  const file = path.join(folder, "program.mjs");
  await writeFile(file, here);
  expect((await runProgram(file, [])).stdout.trim()).toBe(shown);
});
