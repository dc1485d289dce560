import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";

/**
 * The README is executed: every `console` block runs against a fresh server, in order, and must print what it shows.
 * Times, epochs and rates differ from run to run, so only their places are compared.
 */
const root = new URL("../../", import.meta.url).pathname;
const readme = readFileSync(join(root, "README.md"), "utf8");

interface Step {
  readonly command: string;
  readonly output: string;
}

const blocks = [...readme.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
const steps: Step[] = blocks.flatMap((block) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const end = text.indexOf("\n");
      return { command: text.slice(0, end), output: text.slice(end + 1).trim() };
    }),
);

let database: TestDatabase;
let server: ServerProcess;
const folder = mkdtempSync(join(tmpdir(), "millrace-readme-"));
beforeAll(async () => {
  database = await createTestDatabase("embedded");
  const on = databaseArguments(database.connection);
  server = await startServerProcess(["--listen", "127.0.0.1:0", ...on, "--log-level", "warn"]);
});
afterAll(async () => {
  await server.stop();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a line as a reader of the README would, but against the test's server. */
function run(command: string): Promise<string> {
  const line = command
    .replaceAll("127.0.0.1:50051", server.address)
    // As make does when all is built, which must not change while tests run.
    .replace(/^make -s example NAME=([\w-]+)$/, `node examples/.build/$1/main.js --address ${server.address}`)
    // The program that npx finds; the first health check shows that npx finds it.
    .replaceAll("npx millrace ", command === "npx millrace health" ? "npx millrace " : "node_modules/.bin/millrace ")
    // A follow does not end by itself: the reader presses Ctrl-C.
    .replace(/^(?=buf-curl .*Follow$)/, "timeout -s INT 2 ")
    .replaceAll("buf-curl", "node_modules/.bin/buf curl --protocol grpc --http2-prior-knowledge");
  const child = spawn("bash", ["-c", line], {
    cwd: root,
    env: { ...process.env, MILLRACE_ADDRESS: server.address, npm_config_loglevel: "silent" },
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => child.on("close", () => resolve(Buffer.concat(chunks).toString("utf8").trim())));
}

function normal(text: string): string {
  return text
    .replace(/"epoch": ?"\d+"/g, '"epoch":"E"')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "T")
    .replace(/"(seconds|recordsPerSecond)":[\d.]+/g, '"$1":N');
}

it("shows commands", () => {
  expect(steps.length).toBeGreaterThanOrEqual(7);
});

const shown = steps.filter(({ command }) => !command.startsWith("alias "));
it.each(shown)("prints what it shows for: $command", async ({ command, output }) => {
  expect(normal(await run(command))).toBe(normal(output));
});

const programs = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");

/** Runs a program of the README like a reader who has installed the package. */
function runProgram(program: string): Promise<string> {
  const file = join(folder, "program.mjs");
  const here = program
    .replace('"@millrace/client"', JSON.stringify(join(root, "dist/index.js")))
    .replace('"@millrace/client/streams"', JSON.stringify(join(root, "dist/streams/index.js")))
    .replace("127.0.0.1:50051", server.address);
  writeFileSync(file, here);
  return run(`node ${file}`);
}

it("shows a client program that runs", async () => {
  expect(await runProgram(programs[0] ?? "")).toMatch(/^\d+ .*o-4/);
});

it("shows a program of streams that prints what it says", async () => {
  const shown = /console\.log\(\w+\); \/\/ (.*)$/m.exec(programs[1] ?? "")?.[1];
  expect(shown).toContain("o-4: 15");
  expect(await runProgram(programs[1] ?? "")).toBe(shown);
});
