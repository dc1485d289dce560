import { rm } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { runOn } from "../support/database.js";
import type { RunningExample } from "./run-example.js";
import { type CopiedTable, makeTable } from "./table-to-csv.js";

const rows = 20_000;
let table: CopiedTable;

beforeAll(async () => {
  table = await makeTable(rows);
});
beforeEach(() => rm(table.file, { force: true }));
afterAll(() => table.remove());

async function expectWholeTable(orderBy?: string): Promise<void> {
  const { copied, written } = await table.hashes(orderBy);
  expect(written).toBe(copied);
}

test("table-to-csv writes what Postgres writes by COPY, in flat memory", async () => {
  const { code, stdout, stderr } = await table.run();
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const report = JSON.parse(stdout) as { rssGrowthMiB: number };
  expect(report).toMatchObject({ rows, last: `${rows}` });
  expect(report.rssGrowthMiB).toBeLessThan(100);
  await expectWholeTable();
});

test.each(["at", "sensor"])("table-to-csv pages by a column of another type: %s", async (orderBy) => {
  expect(await table.run(["--order-by", orderBy, "--page-rows", "999"])).toMatchObject({ code: 0, stderr: "" });
  await expectWholeTable(orderBy);
});

/** Runs it a row a page, ends it as told when something stands in the file, and goes on where it says. */
async function expectToGoOn(end: (running: RunningExample) => unknown): Promise<{ code: number | null }> {
  const running = table.start(["--page-rows", "1"]);
  await table.written();
  await end(running);
  const { code, stdout } = await running.ended;
  const stopped = JSON.parse(stdout) as { rows: number; last: string };
  expect(stopped.rows).toBeGreaterThan(0);
  expect(stopped.rows).toBeLessThan(rows);
  const resumed = await table.run(["--after", stopped.last]);
  expect(JSON.parse(resumed.stdout)).toMatchObject({ rows: rows - stopped.rows, last: `${rows}` });
  await expectWholeTable();
  return { code };
}

test("table-to-csv goes on where Ctrl-C stopped it, and loses and repeats nothing", async () => {
  expect(await expectToGoOn(({ child }) => child.kill("SIGINT"))).toEqual({ code: 130 });
});

test("table-to-csv goes on where it lost its connection", async () => {
  const terminate = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`;
  expect(await expectToGoOn(() => runOn(table.url, terminate))).toEqual({ code: 1 });
});

test("table-to-csv says what it was given wrong", async () => {
  const { code, stderr } = await table.run(["--order-by", "nothing"]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'public.readings has no column "nothing"\n' });
});

test("table-to-csv says that it cannot write its file", async () => {
  const { code, stdout, stderr } = await table.run(["--file", "/dev/full"]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("ENOSPC");
});
