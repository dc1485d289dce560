/** The CPU cost of a record, by process: each round has its own processes, first cold and then warm. */

import type { Bench } from "../harness/bench.js";
import { postgresSeconds, type ThreadSeconds, threadSecondsOf } from "../harness/process-usage.js";
import { atMost, type Line, type RowResult } from "../harness/result.js";
import { startSubject, type SubjectProcess } from "../harness/subject.js";
import { vacuum } from "../harness/vacuum.js";
import { type MillraceServer, startMillraceServer } from "../peers/millrace-server.js";
import type * as publishMillraceSubject from "../subjects/publish-millrace.js";
import type * as replayMillraceSubject from "../subjects/replay-millrace.js";

const topic = "cost";
/** Passes of a process: the first is cold, the last is warm. */
const passes = 3;

const payers = ["Postgres", "server", "server's helpers", "client", "client's helpers", "all together"] as const;
type Payer = (typeof payers)[number];

const kinds = ["publish, cold", "publish, warm", "replay, cold", "replay, warm"] as const;
type Kind = (typeof kinds)[number];

/** Microseconds of CPU for each record, by process, and of wall time. */
type Costs = Readonly<Record<Payer, number>> & { readonly wall: number };

export async function cost(bench: Bench): Promise<RowResult> {
  const measured = new Map<Kind, Costs[]>(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < bench.settings.rounds; round++) {
    bench.progress(`round ${round + 1} of ${bench.settings.rounds}`);
    const databaseUrl = await bench.createDatabase();
    await measurePublish(bench, databaseUrl, measured);
    await vacuum(databaseUrl);
    await measureReplay(bench, databaseUrl, measured);
  }
  const lines = kinds.flatMap((kind): Line[] => {
    const costs = measured.get(kind) as Costs[];
    return [
      { subject: `${kind}: time`, role: "ours", values: costs.map(({ wall }) => wall), unit: "µs/record" },
      ...payers.map(
        (payer): Line => ({
          subject: `${kind}: ${payer}`,
          role: "extra",
          values: costs.map((each) => each[payer]),
          unit: "µs/record",
        }),
      ),
    ];
  });
  const { replayRecords, bodyBytes, batchRecords } = bench.settings;
  return {
    title: `what a record of ${bodyBytes} B costs, of ${replayRecords.toLocaleString("en")}, published in batches of ${batchRecords} and replayed: time, and CPU by process`,
    lines,
    goals: kinds.map((kind) => {
      const totals = (measured.get(kind) as Costs[]).map((each) => each["all together"]);
      return atMost(`${kind}: dearest process ÷ cheapest`, Math.max(...totals) / Math.min(...totals), 1.3);
    }),
    notes: [
      "A round starts a server and a client, and measures their first pass and their third. Helpers are the threads of V8 that compile and collect garbage, and those of libuv.",
    ],
  };
}

async function measurePublish(bench: Bench, databaseUrl: string, measured: Map<Kind, Costs[]>): Promise<void> {
  const { replayRecords: records, bodyBytes, batchRecords } = bench.settings;
  const server = await startMillraceServer(bench, {
    args: ["--database-url", databaseUrl],
    profileAs: "cost-publish-server",
  });
  const client = await startSubject<typeof publishMillraceSubject>(
    bench,
    "publish-millrace",
    { address: server.address, topic, bodyBytes, batchRecords },
    { profileAs: "cost-publish-client" },
  );
  await measurePasses(
    { server, client, databaseUrl, records, work: () => client.round({ records }) },
    (costs, pass) => {
      if (pass === 0) measured.get("publish, cold")?.push(costs);
      if (pass === passes - 1) measured.get("publish, warm")?.push(costs);
    },
  );
  await client.stop();
  await server.stop();
}

async function measureReplay(bench: Bench, databaseUrl: string, measured: Map<Kind, Costs[]>): Promise<void> {
  const { replayRecords, bodyBytes } = bench.settings;
  const server = await startMillraceServer(bench, {
    args: ["--database-url", databaseUrl],
    profileAs: "cost-replay-server",
  });
  const client = await startSubject<typeof replayMillraceSubject>(
    bench,
    "replay-millrace",
    { address: server.address, topic, bodyBytes },
    { profileAs: "cost-replay-client" },
  );
  // The topic has what all passes published.
  const records = passes * replayRecords;
  await measurePasses({ server, client, databaseUrl, records, work: () => client.round("pages") }, (costs, pass) => {
    if (pass === 0) measured.get("replay, cold")?.push(costs);
    if (pass === passes - 1) measured.get("replay, warm")?.push(costs);
  });
  await client.stop();
  await server.stop();
}

interface Measuring {
  readonly server: MillraceServer;
  readonly client: Pick<SubjectProcess<typeof publishMillraceSubject>, "process">;
  readonly databaseUrl: string;
  readonly records: number;
  readonly work: () => Promise<unknown>;
}

async function measurePasses(measuring: Measuring, onPass: (costs: Costs, pass: number) => void): Promise<void> {
  const { records, work } = measuring;
  for (let pass = 0; pass < passes; pass++) {
    const before = await usage(measuring);
    const startMs = performance.now();
    await work();
    const wall = ((performance.now() - startMs) * 1000) / records;
    const after = await usage(measuring);
    const each = (of: (usage: Usage) => number) => ((of(after) - of(before)) * 1e6) / records;
    const costs = {
      Postgres: each(({ postgres }) => postgres),
      server: each(({ server }) => server.main),
      "server's helpers": each(({ server }) => server.helpers),
      client: each(({ client }) => client.main),
      "client's helpers": each(({ client }) => client.helpers),
    };
    const total = Object.values(costs).reduce((sum, one) => sum + one, 0);
    onPass({ ...costs, "all together": total, wall }, pass);
  }
}

interface Usage {
  readonly postgres: number;
  readonly server: ThreadSeconds;
  readonly client: ThreadSeconds;
}

async function usage({ server, client, databaseUrl }: Measuring): Promise<Usage> {
  return {
    postgres: await postgresSeconds(new URL(databaseUrl).pathname.slice(1)),
    server: await threadSecondsOf(server.process.pid as number),
    client: await threadSecondsOf(client.process.pid as number),
  };
}
