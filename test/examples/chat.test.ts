import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { readHeaderOutput, runExample, type RunningExample, startExample } from "./run-example.js";

let database: TestDatabase;
let address: string;
let millrace: MillraceClient;
const running = new Set<RunningExample>();

beforeAll(async () => {
  database = await createTestDatabase("embedded");
  ({ address } = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]));
  millrace = createClient({ address });
});

afterEach(() => {
  for (const { child } of running) child.kill("SIGKILL");
  running.clear();
});

afterAll(async () => {
  millrace.close();
  await killServerProcesses();
  await database.drop();
});

interface Member extends RunningExample {
  type(...commands: readonly string[]): void;
  /** Resolves when it has shown a line that ends so. */
  sees(end: string): Promise<void>;
}

function startMember(name: string): Member {
  const example = startExample("chat", ["--member", name, "--address", address, "--prefix", "test"], "pipe");
  running.add(example);
  let shown = "";
  example.child.stdout?.on("data", (text: Buffer) => (shown += text.toString()));
  return {
    ...example,
    type: (...commands) => void example.child.stdin?.write(commands.map((command) => `${command}\n`).join("")),
    sees: (end) => vi.waitFor(() => expect(shown).toContain(`${end}\n`), { timeout: 10_000, interval: 10 }),
  };
}

/** Ends its input, or sends it a signal, and gives the lines that it has shown. */
async function end({ child, ended }: RunningExample, signal?: NodeJS.Signals): Promise<string[]> {
  if (signal === undefined) child.stdin?.end();
  else child.kill(signal);
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trim().split("\n");
}

test.each(["first", "second"])("chat prints what its header shows: %s start", async () => {
  const { code, stdout, stderr } = await runExample("chat", ["--address", address]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(await readHeaderOutput("chat"));
});

test("chat gives a member that joins while others talk the history, then what is live, until it leaves", async () => {
  const [ada, cleo, bob] = [startMember("ada"), startMember("cleo"), startMember("bob")];
  const numbers = Array.from({ length: 100 }, (_, index) => index);
  for (const member of [ada, cleo]) member.type("/join room", ...numbers.map((number) => `room: ${number}`));
  await ada.sees("ada: 20");
  bob.type("/join room");
  await bob.sees("bob joined");
  for (const each of ["ada: 99", "cleo: 99"]) await bob.sees(each);
  bob.type("/leave room", "room: Nobody gets this");
  await Promise.all([ada.sees("bob left"), cleo.sees("bob left"), bob.sees("? You are not in room")]);
  ada.type("room: Bob does not get this");
  await cleo.sees("ada: Bob does not get this");
  const byBob = (await end(bob)).filter((line) => !line.startsWith("?"));
  // A signal is no crash: it leaves its rooms.
  const byAda = await end(ada, "SIGTERM");
  await cleo.sees("ada left");
  const byCleo = await end(cleo);

  // By its offset, each line has one place: none is there twice, none is missing.
  expect(byCleo.map((line) => line.split(" ")[1])).toEqual(byCleo.map((_, offset) => `${offset}`));
  const untilLeft = (name: string) => byCleo.slice(0, byCleo.findIndex((line) => line.endsWith(`${name} left`)) + 1);
  expect(byBob).toEqual(untilLeft("bob"));
  expect(byAda).toEqual(untilLeft("ada"));
  for (const name of ["ada", "cleo"]) {
    const said = byCleo.filter((line) => line.includes(` ${name}: `)).slice(0, 100);
    expect(said.map((line) => line.split(": ")[1])).toEqual(numbers.map(String));
  }
  const { nextOffset } = await millrace.topics.get("test/room");
  expect(byCleo).toHaveLength(nextOffset);
}, 30_000);

test("chat refuses what cannot be done, and goes on", async () => {
  const dora = startMember("dora");
  dora.type("/join one two", "one: Hello", "/join o??", "/join one", "/join one", "/file one /none");
  dora.type(`/file one ${process.execPath}`, "one: Hello");
  const shown = await end(dora);
  expect(shown.filter((line) => line.startsWith("?"))).toEqual([
    expect.stringContaining("Type /join ROOM"),
    "? You are not in one",
    expect.stringContaining("must match"),
    "? You are in one already",
    expect.stringContaining("ENOENT"),
    expect.stringContaining("1048576 are allowed"),
  ]);
  expect(shown.filter((line) => line.startsWith("one"))).toEqual([
    "one 0 dora joined",
    "one 1 dora: Hello",
    "one 2 dora left",
  ]);
});

test("chat ends a member whose room is deleted, though more could be typed", async () => {
  const eve = startMember("eve");
  eve.type("/join gone");
  await eve.sees("eve joined");
  await millrace.topics.delete("test/gone");
  const { code, stderr } = await eve.ended;
  expect(code).toBe(1);
  expect(stderr).toContain("test/gone");
});
