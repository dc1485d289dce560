/** `make bench`: runs the rows, prints their table, and writes it to bench/results.md. */

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bench, profileFolder } from "./harness/bench.js";
import { describeMachine } from "./harness/machine.js";
import { summarizeProfiles } from "./harness/profile-summary.js";
import { markdownReport, type Report, terminalReport } from "./harness/report.js";
import type { RowResult } from "./harness/result.js";
import { Stops } from "./harness/stops.js";
import { type PostgresServer, startPostgresServer } from "./peers/postgres-server.js";
import { consume } from "./rows/consume.js";
import { cost } from "./rows/cost.js";
import { disk } from "./rows/disk.js";
import { fanOut } from "./rows/fan-out.js";
import { features } from "./rows/features.js";
import { filters } from "./rows/filters.js";
import { heldSnapshot } from "./rows/held-snapshot.js";
import { latency } from "./rows/latency.js";
import { manyTopics } from "./rows/many-topics.js";
import { memory } from "./rows/memory.js";
import { publish } from "./rows/publish.js";
import { replay } from "./rows/replay.js";
import { scale } from "./rows/scale.js";
import { streams } from "./rows/streams.js";
import { upserts } from "./rows/upserts.js";
import { readSettings, type RowName, rowNames } from "./settings.js";

const rows: Record<RowName, (bench: Bench) => Promise<RowResult | RowResult[]>> = {
  cost,
  replay,
  filters,
  publish,
  upserts,
  consume,
  features,
  "fan-out": fanOut,
  memory,
  latency,
  "held-snapshot": heldSnapshot,
  disk,
  "many-topics": manyTopics,
  scale,
  streams,
};

/** Beside the sources, not in the build. */
const resultsFile = fileURLToPath(new URL("../../results.md", import.meta.url));

const settings = readSettings(process.env, process.argv.slice(2));
const stops = new Stops();
let stopRow: Stops | undefined;

async function run(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-bench-"));
  stops.add(() => rm(folder, { recursive: true, force: true }));
  // Postgres does not run as root: its user must be able to reach its data.
  await chmod(folder, 0o755);
  const startMs = performance.now();
  const progress = (text: string) =>
    process.stderr.write(`${((performance.now() - startMs) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
  let postgres: PostgresServer | undefined;
  let databases = 0;
  const createDatabase = async () => {
    postgres ??= await startPostgresServer(whole);
    databases += 1;
    return postgres.createDatabase(`bench_${databases}`);
  };
  const whole: Bench = { settings, stops, folder, createDatabase, progress };
  const results: RowResult[] = [];
  for (const name of settings.rows) {
    const ofRow = new Stops();
    stopRow = ofRow;
    try {
      const told = (text: string) => progress(`${name}: ${text}`);
      results.push(...[await rows[name]({ ...whole, stops: ofRow, progress: told })].flat());
    } finally {
      await ofRow.run();
    }
  }
  const machine = await describeMachine(folder);
  return {
    command: commandLine(),
    date: new Date().toISOString().slice(0, 10),
    machine: [...machine, ["Postgres", `${postgres?.version ?? "not used"}, default settings (fsync on)`]],
    rows: results,
  };
}

/** The command that repeats this run. */
function commandLine(): string {
  const names = ["ROWS", "ROUNDS", "BODY_BYTES", "REPLAY_RECORDS", "NAIVE_SECONDS", "PUBLISH_RECORDS", "BATCH_RECORDS"];
  names.push("CONSUME_RECORDS", "FOLLOWERS", "FAN_OUT_RECORDS", "STALLED_STREAMS", "LATENCY_SAMPLES", "STREAM_ITEMS");
  const given = names.filter((name) => process.env[name]).map((name) => ` ${name}=${process.env[name]}`);
  return `make bench${given.join("")}`;
}

async function stopAll(): Promise<void> {
  await stopRow?.run();
  await stops.run();
}

for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => {
    process.stderr.write(`${name}: stopping what was started\n`);
    void stopAll().finally(() => process.exit(130));
  });
}

try {
  const report = await run();
  await stopAll();
  // A run of some rows must not replace the results of all.
  if (settings.rows.length === rowNames.length) await writeFile(resultsFile, markdownReport(report));
  if (settings.takesProfiles) process.stderr.write(`\n${(await summarizeProfiles(profileFolder)).join("\n\n")}\n`);
  process.stdout.write(settings.printsJson ? `${JSON.stringify(report)}\n` : `\n${terminalReport(report)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
  await stopAll();
}
