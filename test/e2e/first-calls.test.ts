import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { createClient } from "../../src/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import {
  databaseArguments,
  killServerProcesses,
  type ServerProcess,
  startServerProcess,
} from "../support/server-process.js";

/** A new user's first calls, with a foreign client: buf, by reflection. */

const buf = new URL("../../node_modules/.bin/buf", import.meta.url).pathname;

let database: TestDatabase;
let server: ServerProcess;

afterAll(killServerProcesses);

/** Runs buf curl until it ends, or has printed what `isEnough` waits for. Returns the JSON values that it printed. */
async function curl(args: readonly string[], isEnough: (output: string) => boolean = () => false): Promise<unknown[]> {
  return jsonValues(await curlText(args, isEnough));
}

async function curlText(
  args: readonly string[],
  isEnough: (output: string) => boolean = () => false,
  talk: (output: string, input: Writable) => void = () => undefined,
) {
  // A process group of its own: npm's launcher does not pass signals on to the program.
  const child = spawn(buf, ["curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args], { detached: true });
  let output = "";
  let errors = "";
  talk(output, child.stdin);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    talk(output, child.stdin);
    if (isEnough(output) && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0 && !isEnough(output)) throw new Error(`buf curl ${args.join(" ")} ended with ${code}: ${errors}`);
  return output;
}

/** Values printed one after the other, each over several lines. */
function jsonValues(output: string): unknown[] {
  return output
    .split(/(?<=^\})\n/m)
    .filter((text) => text.trim() !== "")
    .map((text) => JSON.parse(text) as unknown);
}

describe.each(databaseKinds)("a server that was just started on %s", (kind) => {
  const records = [
    { key: "o-1", attributes: { region: "eu" }, json: { total: 12 }, time: expect.any(String), offset: "0" },
    { text: "plain", time: expect.any(String), offset: "1" },
  ];

  beforeEach(async () => {
    database = await createTestDatabase(kind);
    server = await startServerProcess([
      ..."--listen 127.0.0.1:0 --log-level warn".split(" "),
      ...databaseArguments(database.connection),
    ]);
  });

  afterEach(async () => {
    expect(await server.stop()).toBe(0);
    await database.drop();
  });

  const call = (method: string) => `http://${server.address}/${method}`;

  test("is healthy, lists its services, answers the three calls of the README, and serves a consumer", async () => {
    expect(await curl(["-d", "{}", call("grpc.health.v1.Health/Check")])).toEqual([{ status: "SERVING" }]);
    const client = createClient({ address: server.address });
    expect(await client.health("millrace.v1.RecordService")).toBe("SERVING");
    client.close();

    const services = await curlText(["--list-services", `http://${server.address}`]);
    expect(services.trim().split("\n").sort()).toEqual([
      "grpc.channelz.v1.Channelz",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "millrace.v1.InspectService",
      "millrace.v1.RecordService",
      "millrace.v1.StateService",
      "millrace.v1.SubscriptionService",
      "millrace.v1.TopicService",
      "routeguide.RouteGuide",
    ]);

    const append =
      '{"topic":"orders","records":[{"key":"o-1","attributes":{"region":"eu"},"json":{"total":12}},{"text":"plain"}]}';
    const [appended] = await curl(["-d", append, call("millrace.v1.RecordService/Append")]);
    expect(appended).toEqual({ firstOffset: "0", nextOffset: "2", epoch: expect.stringMatching(/^[1-9]\d*$/) });
    const { epoch } = appended as { epoch: string };
    const next = { epoch, offset: "2" };

    expect(await curl(["-d", '{"topic":"orders"}', call("millrace.v1.RecordService/Read")])).toEqual([
      { records, next, endOffset: "2" },
    ]);

    const follow = ["-d", '{"topic":"orders","start":{"earliest":{}}}', call("millrace.v1.RecordService/Follow")];
    expect(await curl(follow, (output) => /"caughtUp": \{\}\n\}\n/.test(output))).toEqual([
      { next: { epoch, offset: "0" }, started: { earliestOffset: "0", nextOffset: "2" } },
      { records, next },
      { next, caughtUp: {} },
    ]);

    // A consumer at the terminal: one record, then another, with verdicts as JSON on standard input.
    const says = [
      { after: "", text: '{"topic":"orders","start":{"earliest":{}},"window":{"records":1}}' },
      { after: '"total": 12', text: '{"acknowledgeThrough":"0"}' },
      { after: '"plain"', text: undefined },
    ];
    const consumed = await curlText(
      ["-d", "@-", call("millrace.v1.SubscriptionService/Consume")],
      undefined,
      (output, input) => {
        while (says[0] !== undefined && output.includes(says[0].after)) {
          const { text } = says.shift() ?? {};
          if (text === undefined) input.end();
          else input.write(`${text}\n`);
        }
      },
    );
    const messages = jsonValues(consumed) as { started?: object; records?: object[]; confirmed?: object }[];
    expect(messages[0]?.started).toMatchObject({ cursor: { offset: "0" }, window: { records: 1 } });
    expect(messages.flatMap((message) => message.records ?? [])).toEqual(records);
    expect(messages.flatMap(({ confirmed }) => confirmed ?? [])).toEqual([{ acknowledged: [{ nextOffset: "1" }] }]);
  });
});
