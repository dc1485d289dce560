import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readHeaderOutput, runExample, startExample } from "./run-example.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-log-files-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test("log-files prints of its sample what its header shows", async () => {
  expect(await runExample("log-files", ["--sample", folder])).toMatchObject({ code: 0, stdout: "" });
  const { code, stdout, stderr } = await runExample("log-files", [folder, "--files", "4", "--rate", "1000000"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(await readHeaderOutput("log-files"));
  expect(stdout).toContain("60000 lines");
});

test("log-files counts what it can, and reports what it cannot read", async () => {
  const lines = ["2026-06-01T00:00:00Z ERROR db lost 3 rows", "nonsense", "2026-06-01T00:00:01Z INFO app up"];
  await mkdir(join(folder, "below.log"));
  await writeFile(join(folder, "below.log", "a.log"), lines.join("\n"));
  await writeFile(join(folder, "notes.txt"), "2026-06-01T00:00:00Z ERROR db not a log\n");
  // A line that is longer than a line may be, behind one that is none.
  await writeFile(join(folder, "zeros.log"), Buffer.concat([Buffer.from("first\n"), Buffer.alloc(2_000_000)]));
  await symlink("/none", join(folder, "dangling.log"));
  // A pipe without a writer: opening it would wait for ever.
  execFileSync("mkfifo", [join(folder, "pipe.log")]);
  const { code, stdout, stderr } = await runExample("log-files", [folder, "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    files: 4,
    lines: 4,
    broken: 2,
    failures: 3,
    sources: {
      app: { DEBUG: 0, INFO: 1, WARNING: 0, ERROR: 0, CRITICAL: 0 },
      db: { DEBUG: 0, INFO: 0, WARNING: 0, ERROR: 1, CRITICAL: 0 },
    },
    errors: [{ name: "db: lost # rows", times: 1 }],
  });
  expect(stderr.trim().split("\n").toSorted()).toEqual([
    expect.stringContaining("dangling.log: ENOENT"),
    expect.stringContaining("pipe.log: not a regular file"),
    expect.stringContaining("zeros.log: Cannot read line 2"),
  ]);
});

test.each(["--files", "--rate"])("log-files refuses %s 0 rather than count nothing", async (option) => {
  const { code, stdout, stderr } = await runExample("log-files", [folder, option, "0"]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toBe(`Cannot take ${option} 0: it is a whole number from 1\n`);
});

test("log-files fails when there is no such directory", async () => {
  const { code, stderr } = await runExample("log-files", [join(folder, "none")]);
  expect(code).toBe(1);
  expect(stderr).toContain("ENOENT");
});

test("log-files keeps to its rate over all files, and reports at Ctrl-C what it has counted", async () => {
  await runExample("log-files", ["--sample", folder]);
  await symlink("/none", join(folder, "dangling.log"));
  const startedAt = performance.now();
  const { child, ended } = startExample("log-files", [folder, "--rate", "100", "--files", "20", "--json"]);
  if (child.stderr === null) throw new Error("It has no output");
  // It reports the link: so it runs. The rate needs a second to show; 60000 lines would take ten minutes.
  await once(child.stderr, "data");
  setTimeout(() => child.kill("SIGINT"), 1000);
  const { code, stdout, stderr } = await ended;
  const seconds = (performance.now() - startedAt) / 1000;
  expect(code).toBe(130);
  expect(stderr).toContain("dangling.log");
  const { files, lines } = JSON.parse(stdout) as { files: number; lines: number };
  expect(files).toBe(13);
  expect(lines).toBeGreaterThan(0);
  expect(lines).toBeLessThanOrEqual(100 * seconds + 1);
});

test("log-files keeps a bounded number of errors apart", async () => {
  const big = join(folder, "big.log");
  // Each error is one of its own, in a long line; the names of the first thousand are kept.
  const tail = "x".repeat(2000);
  const word = (number: number) => number.toString(26).replaceAll(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)] ?? "");
  const errors = Array.from({ length: 20_000 }, (_, n) => `2026-06-01T00:00:00Z ERROR app ${word(n)} ${tail}\n`);
  await writeFile(big, errors);
  const { stdout } = await runExample("log-files", [folder, "--json"]);
  const { lines, errors: top } = JSON.parse(stdout) as { lines: number; errors: { name: string; times: number }[] };
  expect(lines).toBe(20_000);
  expect(top[0]).toEqual({ name: "(others)", times: 19_000 });
});
