/** Records that are durable when they are acknowledged, in batches. */

import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type Bench, inTurns } from "../harness/bench.js";
import { jetStreamOutstanding } from "../harness/publish-acknowledged.js";
import { atLeast, type Line, type RowResult } from "../harness/result.js";
import { rateOf, type Sample } from "../harness/sample.js";
import { medianRatio } from "../harness/statistics.js";
import { startSubject } from "../harness/subject.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import { natsIsMissing, startNatsServer } from "../peers/nats-server.js";
import { redisIsMissing, startRedisServer } from "../peers/redis-server.js";
import type * as publishJetstreamSubject from "../subjects/publish-jetstream.js";
import type * as publishMillraceSubject from "../subjects/publish-millrace.js";
import type * as publishRedisSubject from "../subjects/publish-redis.js";
import type * as storeLimitsSubject from "../subjects/store-limits.js";

/** Passes before the measured ones: the compiler has finished after about four. */
const warmUps = 4;

/** As many outstanding batches as our client has. */
const batchesAhead = 64;

interface Contestant {
  readonly name: string;
  readonly role: Line["role"];
  readonly note: string;
  /** Absent: it cannot be measured here, and `note` says why. */
  readonly round?: () => Promise<Sample>;
}

const names = {
  postgres: "Millrace on Postgres",
  embedded: "Millrace on PGlite",
  jetStream: "JetStream, acknowledged publish",
  redis: "Redis, XADD, one round trip at a time",
  redisAhead: `Redis, XADD, ${batchesAhead} round trips at once`,
} as const;

export async function publish(bench: Bench): Promise<RowResult> {
  const { batchRecords, bodyBytes } = bench.settings;
  const contestants = [
    await millrace(bench, names.postgres, ["--database-url", await bench.createDatabase()], "fsync before each answer"),
    ...(await redis(bench)),
    await jetStream(bench),
    await millrace(bench, names.embedded, ["--data", await mkdtemp(join(bench.folder, "pglite-"))], "never fsyncs"),
    ...(await storeAppends(bench)),
  ];
  const rates = contestants.map((): number[] => []);
  await inTurns(
    bench,
    contestants.flatMap(({ name, round }, index) =>
      round === undefined ? [] : [{ name, measure: async () => void rates[index]?.push(rateOf(await round())) }],
    ),
  );
  const ratesOf = (name: string) => rates[contestants.findIndex((each) => each.name === name)] ?? [];
  const ours = ratesOf(names.postgres);
  return {
    title: `durable publish of records of ${bodyBytes} B in batches of ${batchRecords}`,
    lines: contestants.map(({ name, role, note }, index) => ({
      subject: name,
      role,
      values: rates[index] ?? [],
      unit: "records/s",
      note,
    })),
    goals: [
      atLeast("Millrace on Postgres ÷ JetStream", medianRatio(ours, ratesOf(names.jetStream)), 12),
      atLeast("Millrace on Postgres ÷ Redis, one round trip at a time", medianRatio(ours, ratesOf(names.redis)), 3),
    ],
    notes: [
      `Millrace's client has up to ${batchesAhead} batches outstanding, JetStream's ${jetStreamOutstanding} messages (more are slower). Redis is measured with one outstanding pipeline of ${batchRecords}, and with ${batchesAhead}.`,
      "JetStream answers when its file store has written a message, and syncs every two minutes (its default); Postgres and Redis sync before they answer.",
    ],
  };
}

async function millrace(bench: Bench, name: string, args: string[], note: string): Promise<Contestant> {
  const { publishRecords: records, bodyBytes, batchRecords } = bench.settings;
  const isProfiled = name === names.postgres;
  const server = await startMillraceServer(bench, { args, ...(isProfiled ? { profileAs: "publish-server" } : {}) });
  const config = { address: server.address, topic: "publish", bodyBytes, batchRecords };
  const client = await startSubject<typeof publishMillraceSubject>(
    bench,
    "publish-millrace",
    config,
    isProfiled ? { profileAs: "publish-client" } : {},
  );
  // The first creates the topic.
  for (let pass = 0; pass < warmUps; pass++) await client.round({ records });
  return { name, role: isProfiled ? "ours" : "extra", note, round: () => client.round({ records }) };
}

async function redis(bench: Bench): Promise<Contestant[]> {
  const { publishRecords: records, bodyBytes, batchRecords } = bench.settings;
  const server = await startRedisServer(bench);
  if (server === undefined) return [{ name: names.redis, role: "peer", note: redisIsMissing }];
  const config = { port: server.port, bodyBytes, batchRecords };
  const client = await startSubject<typeof publishRedisSubject>(bench, "publish-redis", config);
  for (let pass = 0; pass < warmUps; pass++) await client.round({ records, roundTrips: 1 });
  const note = "appendfsync always";
  return [
    { name: names.redis, role: "peer", note, round: () => client.round({ records, roundTrips: 1 }) },
    { name: names.redisAhead, role: "extra", note, round: () => client.round({ records, roundTrips: batchesAhead }) },
  ];
}

async function jetStream(bench: Bench): Promise<Contestant> {
  const { publishRecords: records, bodyBytes } = bench.settings;
  const server = await startNatsServer(bench);
  if (server === undefined) return { name: names.jetStream, role: "peer", note: natsIsMissing };
  const config = { port: server.port, bodyBytes };
  const client = await startSubject<typeof publishJetstreamSubject>(bench, "publish-jetstream", config);
  await client.round({ records: Math.ceil(records / 10) });
  return {
    name: names.jetStream,
    role: "peer",
    note: "file storage, not synced",
    round: () => client.round({ records }),
  };
}

async function storeAppends(bench: Bench): Promise<Contestant[]> {
  const { publishRecords: records, bodyBytes, batchRecords } = bench.settings;
  const config = { databaseUrl: await bench.createDatabase(), topic: "appends", bodyBytes };
  const store = await startSubject<typeof storeLimitsSubject>(bench, "store-limits", config);
  await store.round({ kind: "append", records: Math.ceil(records / 10), commitRecords: batchRecords });
  return [1, 8].map((batches) => ({
    name: `the store alone, ${batches} ${batches === 1 ? "batch" : "batches"} a commit`,
    role: "limit" as const,
    note: "no gRPC, one commit at a time",
    round: () => store.round({ kind: "append", records, commitRecords: batches * batchRecords }),
  }));
}
