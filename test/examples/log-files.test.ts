import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readHeaderOutput, runExample } from "./run-example.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-log-files-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test("log-files prints of its sample what its header shows", async () => {
  expect(await runExample("log-files", ["--sample", folder])).toMatchObject({ code: 0, stdout: "" });
  const { code, stdout, stderr } = await runExample("log-files", [folder]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(await readHeaderOutput("log-files"));
  expect(stdout).toContain("60000 lines");
});

test("log-files counts what it can, and reports a file that it cannot read", async () => {
  await writeFile(
    join(folder, "a.log"),
    "2026-06-01T00:00:00Z ERROR db lost 3 rows\nnonsense\n2026-06-01T00:00:01Z INFO app up\n",
  );
  await writeFile(join(folder, "notes.txt"), "2026-06-01T00:00:00Z ERROR db not a log\n");
  await mkdir(join(folder, "folder.log"));
  const { code, stdout, stderr } = await runExample("log-files", [folder, "--json", "--rate", "1000"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    files: 2,
    lines: 3,
    broken: 1,
    levels: { ERROR: 1, INFO: 1 },
    sources: { db: 1 },
    kind: "lost # rows",
    times: 1,
  });
  expect(stderr).toContain("folder.log: EISDIR");
});
