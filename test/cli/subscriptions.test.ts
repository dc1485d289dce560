import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CreateSubscriptionOptions, createClient, type MillraceClient } from "../../src/client/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import type { ProgramOptions } from "../support/run-program.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";
import { cliEntry, runCli } from "./run-cli.js";

let database: TestDatabase;
let server: ServerProcess;
let millrace: MillraceClient;

beforeAll(async () => {
  database = await createTestDatabase("embedded");
  server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  millrace = createClient({ address: server.address });
});

afterAll(async () => {
  millrace.close();
  await server.stop();
  await database.drop();
});

const cli = (args: readonly string[], options: ProgramOptions = {}) =>
  runCli(args, { ...options, environment: { MILLRACE_ADDRESS: server.address } });

const json = async (...args: string[]) => JSON.parse((await cli(args)).stdout) as Record<string, unknown>;

/** A topic with texts, and a subscription of the same name that starts at the first. */
async function prepare(
  name: string,
  texts: readonly string[],
  settings: Omit<CreateSubscriptionOptions, "topic"> = {},
): Promise<void> {
  await millrace.append(
    name,
    texts.map((text) => ({ text })),
  );
  await millrace.subscriptions.create(name, { topic: name, start: "earliest", ...settings });
}

async function lagOf(name: string): Promise<number> {
  for await (const { lagRecords } of millrace.subscriptions.describe(name, { limit: 1 })) return lagRecords;
  throw new Error("There was no report");
}

test("subscription, creates, changes, pauses, moves and describes", async () => {
  await millrace.append("life", [{ text: "a" }, { text: "b" }]);
  const settings = ["--sharing", "keyed", "--ack-deadline", "10s", "--label", "team=a"];
  expect(await json("subscription", "create", "life", "--topic", "life", ...settings)).toMatchObject({
    topic: "life",
    sharing: "KEYED",
    ackDeadline: "10s",
    attemptsMax: 5,
    labels: { team: "a" },
  });
  const changed = await json("subscription", "update", "life", "--attempts", "3");
  expect(changed).toMatchObject({ ackDeadline: "10s", attemptsMax: 3, labels: { team: "a" } });
  expect(await json("subscription", "pause", "life")).toMatchObject({ paused: true });
  expect(await json("subscription", "seek", "life", "--start", "last:1")).toMatchObject({ cursor: { offset: "1" } });
  expect(await json("subscription", "describe", "life", "--once")).toMatchObject({
    subscription: { name: "life" },
    cursor: { offset: "1" },
    lagRecords: "1",
  });
});

test("consume, prints the same as follow, and acknowledges only printed records", async () => {
  await prepare("printed", ["a", "b", "c", "d"]);
  const some = await cli(["consume", "printed", "--limit", "3"]);
  expect(some.lines.map((line) => JSON.parse(line).text)).toEqual(["a", "b", "c"]);
  expect(await lagOf("printed")).toBe(1);
  const rest = await cli(["consume", "printed"], { onOutput: (_stdout, kill) => kill("SIGINT") });
  expect([rest.code, rest.lines.map((line) => JSON.parse(line).offset)]).toEqual([130, ["3"]]);
  expect(await lagOf("printed")).toBe(0);
  const ephemeral = await cli(["consume", "--topic", "printed", "--start", "1", "--limit", "2"]);
  expect(ephemeral.lines.map((line) => JSON.parse(line).text)).toEqual(["b", "c"]);
});

test("consume --exec, takes exit codes as verdicts; parked, shows, redrives and discards parked records", async () => {
  await prepare("run", ["good", "bad", "never", "good"], { attemptsMax: 2, retryMinMs: 0 });
  const script =
    'read line; case $line in *bad*) echo no luck >&2; exit 3;; *never*) exit 100;; esac; echo "$MILLRACE_OFFSET/$MILLRACE_ATTEMPT"';
  const ran = await cli(["consume", "run", "--limit", "5", "--concurrency", "2", "--exec", "--", "sh", "-c", script]);
  expect([ran.code, ran.lines.toSorted()]).toEqual([0, ["0/1", "3/1"]]);
  expect(ran.stderr).toContain("no luck\n");
  expect(ran.stderr).toContain("2 acknowledged, 2 rejected, 1 parked\n");
  const parked = (await cli(["parked", "list", "run"])).lines.map((line) => JSON.parse(line));
  expect(parked).toMatchObject([
    { record: { text: "bad", offset: "1" }, attempts: 2, reasons: ["exit code 3: no luck", "exit code 3: no luck"] },
    { record: { text: "never", offset: "2" }, attempts: 1, reasons: ["exit code 100"] },
  ]);
  expect(await json("parked", "redrive", "run", "--filter", 'text == "bad"')).toEqual({ records: 1 });
  expect(await json("parked", "discard", "run", "--offsets", "0..5")).toEqual({ records: 1 });
  const again = await cli(["consume", "run", "--limit", "1", "--exec", "cat"]);
  expect(JSON.parse(again.stdout)).toMatchObject({ text: "bad", offset: "1" });
});

test("consume --exec, finishes the running command when it is interrupted, and releases the rest", async () => {
  await prepare("interrupted", ["a", "b"]);
  const args = ["consume", "interrupted", "--exec", "sh -c 'echo begun; sleep 0.2; echo done'"];
  const child = spawn(process.execPath, [cliEntry, ...args, "--address", server.address], {
    // Its own process group, which receives Ctrl-C as a whole.
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  let printed = "";
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    // A second signal would end it at once.
    if (printed === "begun\n") process.kill(-(child.pid ?? Number.NaN), "SIGINT");
  }
  expect([await exited, printed]).toEqual([[130, null], "begun\ndone\n"]);
  expect(await lagOf("interrupted")).toBe(1);
});

test("consume, names what it cannot run or find, and releases its records", async () => {
  await prepare("given-back", ["a"]);
  const failed = await cli(["consume", "given-back", "--exec", "/no/such/program"]);
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining("there is no such program")]);
  expect(await lagOf("given-back")).toBe(1);
  const gone = await cli(["consume", "nothing"]);
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining("millrace subscription list")]);
});
