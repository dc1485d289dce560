/** The cost of a snapshot that somebody else holds in the database: a dump, or a forgotten transaction. */

import pg from "pg";
import { type Bench, inTurns } from "../harness/bench.js";
import { atLeast, type RowResult } from "../harness/result.js";
import { rateOf } from "../harness/sample.js";
import { medianRatio } from "../harness/statistics.js";
import { startSubject } from "../harness/subject.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import type * as oneByOneSubject from "../subjects/one-by-one.js";

/** A subject's commits are divided into this many turns. The last turns are compared, when most dead rows exist. */
const turns = 10;
const comparedTurns = 3;

export async function heldSnapshot(bench: Bench): Promise<RowResult> {
  const { heldCommits, bodyBytes } = bench.settings;
  const rates = { free: [] as number[], held: [] as number[] };
  const contestants = [];
  for (const kind of ["free", "held"] as const) {
    const databaseUrl = await bench.createDatabase();
    const server = await startMillraceServer(bench, {
      args: ["--database-url", databaseUrl],
      profileAs: `held-snapshot-${kind}`,
    });
    const config = { address: server.address, bodyBytes };
    const client = await startSubject<typeof oneByOneSubject>(bench, "one-by-one", config);
    await client.round({ commits: 500 });
    if (kind === "held") await holdSnapshot(bench, databaseUrl);
    const commits = Math.ceil(heldCommits / turns);
    const measure = async () => void rates[kind].push(rateOf(await client.round({ commits })));
    contestants.push({ name: kind, measure });
  }
  await inTurns({ ...bench, settings: { ...bench.settings, rounds: turns } }, contestants);
  const last = { free: rates.free.slice(-comparedTurns), held: rates.held.slice(-comparedTurns) };
  const ratio = medianRatio(last.held, last.free);
  const text = `the last ${comparedTurns} of ${turns} turns`;
  return {
    title: `${heldCommits.toLocaleString("en")} records of ${bodyBytes} B, each a commit of its own, published by an idempotent client, followed, and consumed with acknowledgements`,
    lines: [
      { subject: "Millrace, while a snapshot is held", role: "ours", values: last.held, unit: "records/s", note: text },
      { subject: "Millrace", role: "limit", values: last.free, unit: "records/s", note: text },
    ],
    goals: [atLeast("while a snapshot is held ÷ while none is", ratio, 0.85)],
    notes: [
      `Each turn, held: ${rates.held.map(Math.round).join(", ")}; free: ${rates.free.map(Math.round).join(", ")}.`,
    ],
  };
}

/** Holds it until the row ends. */
async function holdSnapshot(bench: Bench, databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: "bench-holder" });
  await client.connect();
  bench.stops.add(() => client.end());
  await client.query("begin isolation level repeatable read");
  await client.query("select count(*) from millrace.topics");
}
