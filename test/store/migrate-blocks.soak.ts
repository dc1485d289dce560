import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { migrate } from "../../src/store/postgres/migrations/migrate.js";
import { migrations } from "../../src/store/postgres/migrations/migrations.js";
import { sleep } from "../../src/streams/index.js";
import { type CompiledSources, compileSources } from "../support/compile-sources.js";
import { createTestDatabase, runOn } from "../support/database.js";
import { oneOf, type Random, soakCount, soakRounds, soakTimeoutMs, wholeNumberBetween } from "../support/soak.js";
import { appendRows, type ExpectedLog, expectBlocks, openDatabase, writeLog } from "./log-of-rows.js";

const migrateSource = "src/store/postgres/migrations/migrate.ts";
const openSource = "src/store/postgres/database/open-postgres.ts";

/** Migrates to version 9. Prints a line when it begins, for each step, and at the end. */
const script = `
const [migrateFile, listFile, openFile, url] = process.argv.slice(1);
const { migrate } = await import(migrateFile);
const { migrations } = await import(listFile);
const { openPostgres } = await import(openFile);
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const limits = { poolWaitMs: 10000, connectTimeoutMs: 10000, statementTimeoutMs: 10000, idleInTransactionMs: 10000 };
const database = openPostgres({ url, connections: 1, logger, metrics: undefined, ...limits });
console.log("begins");
const onProgress = ({ done }) => console.log("done " + done);
await migrate(database, { list: migrations.slice(0, 9), onProgress });
console.log("finished");
await database.close();`;

/** Kills it `delayMs` after `done` records were copied; undefined: never. Returns its last line. */
async function runProcess(
  compiled: CompiledSources,
  url: string,
  kill: { readonly done: number; readonly delayMs: number } | undefined,
): Promise<string | undefined> {
  const files = [migrateSource, migrateSource.replace("migrate.ts", "migrations.ts"), openSource].map(compiled.fileOf);
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, ...files, url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  let last: string | undefined;
  let waiting: Promise<void> | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    last = line;
    const done = line === "begins" ? 0 : Number(line.replace("done ", ""));
    if (kill === undefined || waiting !== undefined || done < kill.done) return;
    waiting = sleep(kill.delayMs).then(() => void child.kill("SIGKILL"));
  });
  await exited;
  await waiting;
  return last;
}

/** Topics of every kind: with small and large records, trimmed partly or wholly, empty, and many small ones. */
async function writeLogs(random: Random, url: string, count: number): Promise<ExpectedLog[]> {
  const database = await openDatabase({ kind: "postgres", url });
  const sizes = (records: number, most: number) =>
    Array.from({ length: records }, () => wholeNumberBetween(random, 0, most));
  try {
    await migrate(database, { list: migrations.slice(0, 8) });
    const logs: ExpectedLog[] = [];
    for (let topicId = 1, left = count; left > 0; topicId++) {
      const records = Math.min(left, oneOf(random, [10, 1000, 100_000, 300_000]));
      const most = records > 1000 ? oneOf(random, [50, 200]) : oneOf(random, [0, 500, 5000, 50_000]);
      const batches: number[][] = [];
      for (let start = 0; start < records; start += 2000) batches.push(sizes(Math.min(2000, records - start), most));
      const earliest = oneOf(random, [0, 0, records, wholeNumberBetween(random, 0, records)]);
      const deleted = oneOf(random, [earliest, wholeNumberBetween(random, 0, earliest)]);
      logs.push(await writeLog(database, { topicId, batches, earliest, deleted }));
      left -= records;
    }
    const topicId = logs.length + 1;
    logs.push(await writeLog(database, { topicId, batches: [] }));
    return logs;
  } finally {
    await database.close();
  }
}

/** Appends to the last topic until the database refuses: all that was acknowledged before must be in the blocks. */
async function appendUntilRefused(url: string, log: ExpectedLog): Promise<ExpectedLog> {
  const old = await openDatabase({ kind: "postgres", url });
  const frames: Buffer[] = [];
  let bytes = 0;
  const time = 1_800_000_000_000_000;
  try {
    for (;;) {
      const added = await appendRows(old, log.topicId, [1, 20, 300], { offset: frames.length, bytes, time });
      frames.push(...added);
      for (const frame of added) bytes += frame.length;
    }
  } catch (error) {
    expect(String(error)).toContain("does not exist");
  } finally {
    await old.close();
  }
  return { ...log, frames, times: frames.map(() => time) };
}

test(
  "log-as-blocks, killed three times while the version before it appends, copies every record once",
  async () => {
    const compiled = await compileSources([migrateSource, openSource]);
    try {
      await soakRounds("log-as-blocks", async (random) => {
        const count = soakCount(1_000_000);
        const database = await createTestDatabase("postgres", "empty");
        const { url } = database.connection as { url: string };
        try {
          const logs = await writeLogs(random, url, count);
          const last = logs.pop() as ExpectedLog;
          const kept = logs.reduce((sum, log) => sum + log.frames.length, 0);
          const appending = appendUntilRefused(url, last);
          await sleep(100);
          const printed: (string | undefined)[] = [];
          for (const part of [0, 0.3, 0.6]) {
            const kill = { done: Math.floor(part * kept), delayMs: wholeNumberBetween(random, 0, 100) };
            printed.push(await runProcess(compiled, url, kill));
          }
          const startedAtMs = performance.now();
          printed.push(
            ...(await Promise.all([runProcess(compiled, url, undefined), runProcess(compiled, url, undefined)])),
          );
          const ms = Math.round(performance.now() - startedAtMs);
          logs.push(await appending);
          console.log(
            `${kept} of ${count} records in ${logs.length} topics: ${printed.join(", ")}; the last two in ${ms} ms`,
          );
          expect(printed.slice(-2)).toEqual(["finished", "finished"]);
          const opened = await openDatabase(database.connection);
          try {
            // A step that ends within a topic may leave a last block with room.
            expect(await expectBlocks(opened, logs)).toBeLessThanOrEqual(count / 10_000);
          } finally {
            await opened.close();
          }
          const { rows } = await runOn(url, "select number from millrace.migrations order by number desc limit 1");
          expect(rows).toEqual([{ number: 9 }]);
        } finally {
          await database.drop();
        }
      });
    } finally {
      await compiled.remove();
    }
  },
  soakTimeoutMs,
);
