import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createClient,
  type FilteredMethod,
  InvalidArgumentError,
  type MillraceClient,
  type RecordInput,
} from "../../src/index.js";
import { runCli } from "../cli/run-cli.js";
import { createTestDatabase, onPostgres, type TestDatabase } from "../support/database.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";

const places = [
  { name: "Bern", country: "CH", population: 121_631, longitude: 7.447_44, latitude: 46.948_09 },
  { name: "Zürich", country: "CH", population: 341_730, longitude: 8.55, latitude: 47.366_67 },
  { name: "Suva", country: "FJ", population: 77_366, longitude: 178.441_49, latitude: -18.141_61 },
  { name: "Apia", country: "WS", population: 40_407, longitude: -171.766_67, latitude: -13.833_33 },
];

const records: RecordInput[] = places.map(({ name, country, population, longitude, latitude }) => ({
  key: `city/${name}`,
  attributes: { country },
  json: { population },
  location: { latitude, longitude },
}));

describe.each(onPostgres)("Filters on %s", (kind) => {
  let database: TestDatabase;
  let server: ServerProcess;
  let millrace: MillraceClient;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
    millrace = createClient({ address: server.address });
    await millrace.topics.create("cities", { keyed: true });
    await millrace.append("cities", records);
    // So many that the planner chooses an index.
    for (let south = -80; south < 80; south += 40) {
      const elsewhere = Array.from({ length: 1000 }, (_, index) => ({
        key: `place/${south}/${index}`,
        text: "",
        location: { latitude: south + index / 1000, longitude: -150 + index / 10 },
      }));
      await millrace.append("cities", elsewhere);
    }
  });
  afterAll(async () => {
    millrace.close();
    await server.stop();
    await database.drop();
  });

  const millraceCli = (...args: string[]) => runCli(args, { environment: { MILLRACE_ADDRESS: server.address } });
  const keysOf = (lines: readonly string[]) =>
    lines.map((line) => (JSON.parse(line) as { readonly key: string }).key.slice("city/".length));

  test("read, list and watch return what matches, by command line", async () => {
    // Each command is tested once by the command line, the rest by the client.
    const swiss = ["--filter", 'attributes.country == "CH" && json.population > 200000'];
    expect(keysOf((await millraceCli("read", "cities", ...swiss)).lines)).toEqual(["Zürich"]);
    expect(keysOf((await millraceCli("list", "cities", ...swiss)).lines)).toEqual(["Zürich"]);
    expect(keysOf((await millraceCli("watch", "cities", ...swiss, "--limit", "1")).lines)).toEqual(["Zürich"]);
    const pacific = ["--box", "177,-19,-171,-13"];
    expect(keysOf((await millraceCli("list", "cities", ...pacific)).lines)).toEqual(["Apia", "Suva"]);
    const both = [...pacific, "--filter", 'key.endsWith("va")'];
    expect(keysOf((await millraceCli("list", "cities", ...both)).lines)).toEqual(["Suva"]);
  });

  test("a follow without matches receives its position", async () => {
    await millrace.topics.create("quiet");
    const follow = millrace.follow("quiet", { start: "earliest", filter: 'key == "never"' });
    const pages = follow.pages();
    const first = pages.next();
    await millrace.append("quiet", [{ key: "a" }, { key: "b" }]);
    await expect.poll(() => follow.position?.offset, { timeout: 10_000 }).toBe(2);
    await millrace.append("quiet", [{ key: "never" }]);
    expect((await first).value?.records.map(({ key }) => key)).toEqual(["never"]);
    await pages.return?.();
  });

  test("a watch reports keys that no longer match, and removals", async () => {
    await millrace.topics.create("prices", { keyed: true });
    await millrace.append("prices", [
      { key: "a", json: { price: 9 } },
      { key: "b", json: { price: 2 } },
    ]);
    const left: string[] = [];
    const watch = millrace.state.watch("prices", {
      filter: "json.price > 5",
      onEvent: (event) => {
        if (event.type === "left") left.push(...event.keys);
      },
    });
    const seen: string[] = [];
    for await (const { key, json } of watch) {
      seen.push(`${key}=${JSON.stringify(json)}`);
      if (seen.length === 1) await millrace.append("prices", [{ key: "a", json: { price: 1 } }]);
      if (seen.length === 1) await millrace.append("prices", [{ key: "b", json: { price: 7 } }]);
      if (seen.length === 2) await millrace.append("prices", [{ key: "b" }]);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(['a={"price":9}', 'b={"price":7}', "b=undefined"]);
    expect(left).toEqual(["a"]);
  });

  test("explain reports for each shape what decides it, and which index finds it", async () => {
    const explain = async (filter: string, method: FilteredMethod = "read") => {
      const { parts, indexes, plan } = await millrace.explainFilter("cities", filter, { method });
      return { places: parts.map(({ place }) => place), indexes, plan };
    };
    const key = await explain('key == "city/Bern"');
    expect(key).toMatchObject({ places: ["database-then-node"], indexes: ["blocks_pkey"] });
    expect(key.plan).toContain(Buffer.from("city/Bern").toString("hex"));
    const prefix = await explain('key.startsWith("city/")', "list");
    expect(prefix).toMatchObject({ places: ["database-then-node"], indexes: ["latest_pkey", "blocks_pkey"] });
    expect(prefix.plan).toMatch(/key >= 'city\/'::text\) AND \(key < 'city0'::text/);
    const attribute = await explain('attributes.country == "CH"');
    expect(attribute).toMatchObject({ places: ["database-then-node"], indexes: ["blocks_pkey"] });
    const range = await explain('time > timestamp("2026-01-01T00:00:00Z") && offset < 3 && json.population > 5');
    expect(range).toMatchObject({ places: ["database", "database", "node"], indexes: ["blocks_pkey"] });
    const box = await explain("location.within(7.0, 46.0, 9.0, 48.0)", "list");
    expect(box).toMatchObject({ places: ["database"], indexes: expect.arrayContaining(["latest_cell"]) });
    const { stdout } = await millraceCli("--json", "explain", "cities", "json.population > 5", "--for", "follow");
    expect(JSON.parse(stdout)).toMatchObject({ parts: [{ place: "NODE" }], indexes: ["blocks_pkey"], cost: "4" });
    expect((await explain("location.within(7.0, 46.0, 9.0, 48.0)")).places).toEqual(["node"]);
    expect(await explain('key.matches("^c")', "watch")).toMatchObject({
      places: ["node"],
      indexes: ["latest_offset", "blocks_pkey"],
    });
  });

  test("a bad expression is refused with its line and column before anything is read", async () => {
    for (const [filter, expected] of [
      ["key ==", "filter: line 1, column 7: "],
      ['key == "a" &&\n nobody == 1', "filter: line 2, column 2: Unknown variable: nobody"],
      ["size(key)", "filter: line 1, column 1: must be true or false, but has type int"],
      ['key.matches("(")', "filter: line 1, column 13: is not a pattern of RE2"],
      ["key.matches(text)", "filter: line 1, column 13: the pattern of matches must be a text"],
      ["json.a.all(x, json.b.all(y, x == y))", "filter: line 1, column 1: costs up to 40403 steps"],
      ["key.split('/').size() == 2", "filter: line 1, column 1: there is no function split; there are "],
      [`key == "${"x".repeat(5000)}"`, "filter: must be at most 4096 bytes, got 5009"],
    ] as const) {
      const error: unknown = await millrace
        .read("cities", { filter })
        .pages()
        .next()
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect((error as InvalidArgumentError).message).toContain(expected);
    }
  });
});
