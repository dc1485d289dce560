import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { lockFolder } from "../../src/store/postgres/database/folder-lock.js";
import { currentProcess, isAlive } from "../../src/store/postgres/database/process-identity.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { openPostgresStore } from "../../src/store/postgres/index.js";
import { type CompiledSources, compileSources } from "../support/compile-sources.js";

const source = "src/store/postgres/database/folder-lock.ts";

/** Locks the folder on command, so that several processes race. Holds it until it is killed or its input ends. */
const script = `
const { lockFolder } = await import(process.argv[1]);
process.stdin.on("end", () => process.exit(0));
process.stdin.once("data", () => {
  lockFolder(process.argv[2]).then(
    () => process.stdout.write("held\\n"),
    (error) => process.stdout.write("refused " + error.message + "\\n"),
  );
});`;

let compiled: CompiledSources;
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  compiled = await compileSources([source]);
});
afterAll(() => compiled?.remove());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-lock-"));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill));
  await rm(folder, { recursive: true, force: true });
});

/** A process that tries to lock the folder when `go` is called. */
function startProcess() {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, compiled.fileOf(source), folder], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  const answer = once(createInterface({ input: child.stdout }), "line") as Promise<[string]>;
  return {
    child,
    go: async () => {
      child.stdin.write("go\n");
      return (await answer)[0];
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

test("lockFolder(), refuses a second process, naming the first, until the first is killed", async () => {
  const holder = startProcess();
  expect(await holder.go()).toBe("held");
  expect(await startProcess().go()).toContain(`Cannot use ${folder}: process ${holder.child.pid} has it`);
  await expect(lockFolder(folder)).rejects.toThrow(`process ${holder.child.pid} has it`);
  await kill(holder.child);
  const lock = await lockFolder(folder);
  expect(await startProcess().go()).toContain(`process ${process.pid} has it`);
  await lock.release();
  expect(await readdir(folder)).toEqual([]);
  expect(await startProcess().go()).toBe("held");
});

test("lockFolder(), refuses this process a second time, until it releases the folder", async () => {
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow("this process");
  await lock.release();
  await (await lockFolder(folder)).release();
});

test("lockFolder(), replaces the lock of a dead pid, and of a reused pid", async () => {
  const dead = startProcess();
  await kill(dead.child);
  const { startTime } = currentProcess();
  // The parent is alive but has another start time: its pid was reused.
  for (const pid of [dead.child.pid, process.ppid]) await writeFile(join(folder, `in-use-by-${pid}-${startTime}`), "");
  await writeFile(join(folder, "README"), "not a lock");
  const lock = await lockFolder(folder);
  expect((await readdir(folder)).sort()).toEqual(["README", `in-use-by-${process.pid}-${startTime}`]);
  await lock.release();
});

test("lockFolder(), gives a folder with a dead lock to at most one of several processes", async () => {
  const dead = startProcess();
  expect(await dead.go()).toBe("held");
  await kill(dead.child);
  for (let round = 0; round < 5; round++) {
    const racers = Array.from({ length: 4 }, startProcess);
    const answers = await Promise.all(racers.map((racer) => racer.go()));
    expect(answers.filter((answer) => answer === "held").length).toBeLessThanOrEqual(1);
    expect(answers.every((answer) => answer === "held" || answer.startsWith("refused"))).toBe(true);
    await Promise.all(racers.map((racer) => kill(racer.child)));
  }
  expect(await startProcess().go()).toBe("held");
});

test("isAlive(), is true for this process, and false for an unused pid", () => {
  expect(isAlive(currentProcess())).toBe(true);
  expect(isAlive({ pid: 2 ** 22 + 1, startTime: "unknown" })).toBe(false);
});

test("openPostgresStore() on a folder in use, refuses and changes nothing", async () => {
  const holder = startProcess();
  expect(await holder.go()).toBe("held");
  const opening = openPostgresStore({ connection: { kind: "embedded", folder }, logger: silentLogger });
  await expect(opening).rejects.toThrow(`process ${holder.child.pid} has it`);
  expect(await readdir(folder)).toHaveLength(1);
});

test("openPostgresStore() on a folder of another program, names the fault", async () => {
  await writeFile(join(folder, "postgres"), "");
  const connection = { kind: "embedded", folder } as const;
  await expect(openPostgresStore({ connection, logger: silentLogger })).rejects.toThrow(
    `Cannot open the database in ${folder}: there is a file where a folder should be`,
  );
});
