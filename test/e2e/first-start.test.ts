import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { makeDatabaseFolder } from "../support/database-folder.js";
import { killServerProcesses, startServerProcess } from "../support/server-process.js";

let folder: string;
beforeEach(async () => {
  folder = await makeDatabaseFolder("millrace-first-");
});
afterEach(async () => {
  await killServerProcesses();
  await rm(folder, { recursive: true, force: true });
});

const serve = (data: string) => ["--listen", "127.0.0.1:0", "--data", data, "--log-level", "info"];

test("a server on a new folder copies the build's template instead of initialising a database", async () => {
  const server = await startServerProcess(serve(folder));
  expect(server.log.join("\n")).not.toContain("Migrated the schema");
  // initdb takes 850 MB, a later start 260 MB.
  if (process.platform === "linux") {
    const status = await readFile(`/proc/${server.process.pid}/status`, "utf8");
    expect(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1])).toBeLessThan(400 * 1024);
  }
  expect(await server.stop()).toBe(0);
});

test("a server that is killed while it makes its database leaves a folder that the next one can use", async () => {
  // Killed while it writes files in the middle of the draft, and at its end.
  for (const [round, file] of ["base/4/1259", "postgresql.conf"].entries()) {
    const data = join(folder, String(round));
    const child = spawn(process.execPath, [inject("cliEntry"), "serve", ...serve(data)], { stdio: "ignore" });
    const exited = once(child, "exit");
    await expect.poll(() => existsSync(join(data, "postgres-draft", file)), { interval: 1 }).toBe(true);
    child.kill("SIGKILL");
    await exited;
    const server = await startServerProcess(serve(data));
    expect(await server.stop()).toBe(0);
    expect(await readdir(data)).toEqual(["postgres"]);
  }
}, 120_000);
