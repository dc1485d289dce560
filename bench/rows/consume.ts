/** Consuming with acknowledgements: by window, by consumers, and what rejecting costs. */

import { type Bench, inTurns } from "../harness/bench.js";
import type { ConsumeRound } from "../harness/consume-check.js";
import { atLeast, type Goal, type Line, type RowResult } from "../harness/result.js";
import { rateOf, type Sample } from "../harness/sample.js";
import { medianRatio } from "../harness/statistics.js";
import { startSubject } from "../harness/subject.js";
import { vacuum } from "../harness/vacuum.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import { natsIsMissing, startNatsServer } from "../peers/nats-server.js";
import { redisIsMissing, startRedisServer } from "../peers/redis-server.js";
import type * as consumeJetstreamSubject from "../subjects/consume-jetstream.js";
import type * as consumeMillraceSubject from "../subjects/consume-millrace.js";
import { consumeTopicOf } from "../subjects/consume-millrace.js";
import type * as consumeRedisSubject from "../subjects/consume-redis.js";
import type * as publishMillraceSubject from "../subjects/publish-millrace.js";

/** The goals apply from this window on. */
const goalWindow = 100;
/** A window of 1 needs a round trip for each record: so it gets this many times fewer records. */
const fewer = 50;

interface Contestant {
  readonly name: string;
  readonly role: Line["role"];
  readonly note: string;
  /** Absent: it cannot be measured here, and `note` says why. */
  readonly round?: (round: ConsumeRound) => Promise<Sample>;
  /** Whether it can reject single records. */
  readonly rejects: boolean;
}

const names = {
  batches: "Millrace, message by message",
  records: "Millrace, record by record",
  jetStream: "JetStream, pull consumer",
  redis: "Redis, consumer group",
  redisLater: "Redis, consumer group, synced every second",
} as const;

export async function consume(bench: Bench): Promise<RowResult[]> {
  const { consumeRecords } = bench.settings;
  const few = Math.ceil(consumeRecords / fewer);
  const fills = [few, consumeRecords];
  const contestants = [
    ...(await millrace(bench, fills)),
    await jetStream(bench, fills),
    ...(await redis(bench, fills)),
  ];
  const results: RowResult[] = [];
  for (const window of [1, 100, 1000]) {
    for (const consumers of [1, 8]) {
      const round = { records: window === 1 ? few : consumeRecords, window, consumers, rejects: false };
      results.push(await measure(bench, contestants, round));
    }
  }
  for (const consumers of [1, 8]) {
    results.push(
      await measureRejecting(bench, contestants, { records: consumeRecords, window: goalWindow, consumers }),
    );
  }
  return results;
}

async function measure(bench: Bench, contestants: readonly Contestant[], round: ConsumeRound): Promise<RowResult> {
  const text = textOf(round);
  const rates = await ratesOf({ ...bench, progress: (line) => bench.progress(`${text}: ${line}`) }, contestants, round);
  const ours = [names.batches, names.records].map((name) => rates.get(name) ?? []);
  return {
    title: `consuming ${round.records.toLocaleString("en")} records of ${bench.settings.bodyBytes} B with acknowledgements: ${text}`,
    lines: contestants.map((contestant) => lineOf(contestant, rates, ours[0] ?? [])),
    goals: round.window < goalWindow ? [] : goalsOf(rates, names.batches),
    notes:
      round.window === 1
        ? [
            "JetStream answers no acknowledgement and syncs every two minutes; Postgres and Redis sync before they answer.",
          ]
        : [],
  };
}

/** Compares with the same subjects without rejections, in the same rounds. */
async function measureRejecting(
  bench: Bench,
  contestants: readonly Contestant[],
  { records, window, consumers }: Pick<ConsumeRound, "records" | "window" | "consumers">,
): Promise<RowResult> {
  const able = contestants.filter(({ rejects }) => rejects);
  const plain = { records, window, consumers, rejects: false };
  const text = `${textOf(plain)}, every tenth record rejected once`;
  const ofRow: Bench = { ...bench, progress: (line) => bench.progress(`${text}: ${line}`) };
  const rates = new Map<string, number[]>();
  const plainRates = new Map<string, number[]>();
  await inTurns(
    ofRow,
    able.flatMap(({ name, round }) => {
      if (round === undefined) return [];
      const take = async (into: Map<string, number[]>, rejects: boolean) =>
        into.set(name, [...(into.get(name) ?? []), rateOf(await round({ ...plain, rejects }))]);
      return [
        { name: `${name}, all acknowledged`, measure: async () => void (await take(plainRates, false)) },
        { name, measure: async () => void (await take(rates, true)) },
      ];
    }),
  );
  return {
    title: `consuming ${records.toLocaleString("en")} records of ${bench.settings.bodyBytes} B: ${text}`,
    lines: able.map((contestant) => {
      const cost = medianRatio(rates.get(contestant.name) ?? [], plainRates.get(contestant.name) ?? []);
      const line = lineOf(contestant, rates, rates.get(names.records) ?? []);
      const costText = cost === undefined ? undefined : `${cost.toFixed(2)} × its rate without rejections`;
      return { ...line, note: [costText, line.note].filter(Boolean).join("; ") };
    }),
    goals: goalsOf(rates, names.records),
    notes: [
      "Each record is counted once, however often it was delivered. Redis has no rejection: the same consumer claims an unacknowledged entry again (XCLAIM) in the next round trip.",
    ],
  };
}

async function ratesOf(
  bench: Bench,
  contestants: readonly Contestant[],
  round: ConsumeRound,
): Promise<Map<string, number[]>> {
  const rates = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  await inTurns(
    bench,
    contestants.flatMap(({ name, round: consumed }) =>
      consumed === undefined
        ? []
        : [{ name, measure: async () => void rates.get(name)?.push(rateOf(await consumed(round))) }],
    ),
  );
  return rates;
}

function lineOf({ name, role, note }: Contestant, rates: ReadonlyMap<string, number[]>, ours: readonly number[]): Line {
  const values = rates.get(name) ?? [];
  const ratio = role === "ours" ? undefined : medianRatio(ours, values);
  const ratioText = ratio === undefined ? undefined : `Millrace ÷ this: ${ratio.toFixed(2)} ×`;
  return { subject: name, role, values, unit: "records/s", note: [ratioText, note].filter(Boolean).join("; ") };
}

function goalsOf(rates: ReadonlyMap<string, number[]>, ours: string): Goal[] {
  const goal = (text: string, theirs: string) =>
    atLeast(`${ours} ÷ ${text}`, medianRatio(rates.get(ours) ?? [], rates.get(theirs) ?? []), 1);
  return [goal("JetStream", names.jetStream), goal("Redis, synced before it answers", names.redis)];
}

function textOf({ window, consumers }: Pick<ConsumeRound, "window" | "consumers">): string {
  return `a window of ${window}, ${consumers} ${consumers === 1 ? "consumer" : "consumers"}`;
}

/** Lets code be compiled, with the smaller topic. */
async function warmUp(contestant: Contestant, fills: readonly number[]): Promise<Contestant> {
  const [records = 1] = fills;
  for (const consumers of [1, 8]) {
    await contestant.round?.({ records, window: goalWindow, consumers, rejects: contestant.rejects });
  }
  return contestant;
}

async function millrace(bench: Bench, fills: readonly number[]): Promise<Contestant[]> {
  const { bodyBytes } = bench.settings;
  const databaseUrl = await bench.createDatabase();
  await fillMillrace(bench, databaseUrl, fills);
  const server = await startMillraceServer(bench, {
    args: ["--database-url", databaseUrl],
    profileAs: "consume-server",
  });
  const config = { address: server.address, bodyBytes };
  type Client = typeof consumeMillraceSubject;
  const client = await startSubject<Client>(bench, "consume-millrace", config, { profileAs: "consume-client" });
  const byRecords = await startSubject<Client>(bench, "consume-millrace", config, {
    profileAs: "consume-client-records",
  });
  const batches: Contestant = {
    name: names.batches,
    role: "ours",
    note: "fsync before a confirmation",
    round: (round) => client.round({ ...round, way: "batches" }),
    rejects: false,
  };
  const records: Contestant = {
    name: names.records,
    role: "ours",
    note: "acknowledged when the loop's body ends",
    round: (round) => byRecords.round({ ...round, way: "records" }),
    rejects: true,
  };
  return [await warmUp(batches, fills), await warmUp(records, fills)];
}

/** Fills with a server that is then stopped, so that the measured server starts with a fresh heap. */
async function fillMillrace(bench: Bench, databaseUrl: string, fills: readonly number[]): Promise<void> {
  const { bodyBytes } = bench.settings;
  bench.progress("filling Millrace");
  const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl] });
  for (const records of fills) {
    const config = { address: server.address, topic: consumeTopicOf(records), bodyBytes, batchRecords: 1000 };
    const filler = await startSubject<typeof publishMillraceSubject>(bench, "publish-millrace", config);
    await filler.round({ records });
    await filler.stop();
  }
  await server.stop();
  await vacuum(databaseUrl);
}

async function jetStream(bench: Bench, fills: readonly number[]): Promise<Contestant> {
  const { bodyBytes } = bench.settings;
  const shared = { name: names.jetStream, role: "peer", rejects: true } as const;
  const server = await startNatsServer(bench);
  if (server === undefined) return { ...shared, note: natsIsMissing };
  bench.progress("filling JetStream");
  const config = { port: server.port, fills, bodyBytes };
  const client = await startSubject<typeof consumeJetstreamSubject>(bench, "consume-jetstream", config);
  const note = "each acknowledged separately; file storage, not synced";
  return warmUp({ ...shared, note, round: (round) => client.round(round) }, fills);
}

async function redis(bench: Bench, fills: readonly number[]): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  for (const appendfsync of ["always", "everysec"] as const) {
    const isAlways = appendfsync === "always";
    const name = isAlways ? names.redis : names.redisLater;
    const shared = { name, role: isAlways ? "peer" : "extra", rejects: true } as const;
    const server = await startRedisServer(bench, appendfsync);
    if (server === undefined) return [{ ...shared, note: redisIsMissing }];
    bench.progress("filling Redis");
    const config = { port: server.port, fills, bodyBytes: bench.settings.bodyBytes };
    const client = await startSubject<typeof consumeRedisSubject>(bench, "consume-redis", config);
    const note = `appendfsync ${appendfsync}`;
    contestants.push(await warmUp({ ...shared, note, round: (round) => client.round(round) }, fills));
  }
  return contestants;
}
