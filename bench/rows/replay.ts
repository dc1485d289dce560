/** A whole topic to one client, decoded. */

import { type Bench, inTurns } from "../harness/bench.js";
import { atLeast, type Line, type RowResult } from "../harness/result.js";
import { rateOf, type Sample } from "../harness/sample.js";
import { medianRatio } from "../harness/statistics.js";
import { startSubject } from "../harness/subject.js";
import { vacuum } from "../harness/vacuum.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import { natsIsMissing, startNatsServer } from "../peers/nats-server.js";
import { redisIsMissing, startRedisServer } from "../peers/redis-server.js";
import type * as naiveServiceSubject from "../subjects/naive-service.js";
import type * as passthroughServiceSubject from "../subjects/passthrough-service.js";
import type * as publishMillraceSubject from "../subjects/publish-millrace.js";
import type * as replayJetstreamSubject from "../subjects/replay-jetstream.js";
import type * as replayMillraceSubject from "../subjects/replay-millrace.js";
import type * as replayNaiveSubject from "../subjects/replay-naive.js";
import type * as replayPassthroughSubject from "../subjects/replay-passthrough.js";
import type * as replayRedisSubject from "../subjects/replay-redis.js";
import type * as storeLimitsSubject from "../subjects/store-limits.js";

const topic = "replay";
const pageBytes = 256 * 1024;
/** Passes before the measured ones: the compiler has finished after about four. */
const warmUps = 4;

interface Contestant {
  readonly name: string;
  readonly role: Line["role"];
  readonly note?: string;
  /** Absent: it cannot be measured here, and `note` says why. */
  readonly round?: () => Promise<Sample>;
}

export async function replay(bench: Bench): Promise<RowResult> {
  const { replayRecords } = bench.settings;
  const databaseUrl = await bench.createDatabase();
  await fillTopic(bench, databaseUrl);
  const contestants = [
    ...(await millrace(bench, databaseUrl)),
    ...(await jetStream(bench)),
    await naive(bench, await bench.createDatabase()),
    await redis(bench),
    await passthrough(bench),
    await pageReads(bench, databaseUrl),
  ];
  for (const { name, round } of contestants) {
    if (name === names.naive || round === undefined) continue;
    bench.progress(`warming up: ${name}`);
    for (let pass = 0; pass < warmUps; pass++) await round();
  }
  contestants.push(coldMillrace(bench, databaseUrl));
  const rates = contestants.map((): number[] => []);
  await inTurns(
    bench,
    contestants.flatMap(({ name, round }, index) =>
      round === undefined ? [] : [{ name, measure: async () => void rates[index]?.push(rateOf(await round())) }],
    ),
  );
  const ratesOf = (name: string) => rates[contestants.findIndex((each) => each.name === name)] ?? [];
  const ours = ratesOf(names.pages);
  // The faster one of its two consumers, for each round.
  const push = ratesOf(names.push);
  const theirs = ratesOf(names.pull).map((rate, round) => Math.max(rate, push[round] ?? 0));
  return {
    title: `replay of ${replayRecords.toLocaleString("en")} records of ${bench.settings.bodyBytes} B to one client, decoded`,
    lines: contestants.map(({ name, role, note }, index) => ({
      subject: name,
      role,
      values: rates[index] ?? [],
      unit: "records/s",
      ...(note === undefined ? {} : { note }),
    })),
    goals: [
      atLeast("Millrace, pages ÷ JetStream's faster ordered consumer", medianRatio(ours, theirs), 4),
      atLeast(
        "Millrace, the first pass ÷ JetStream's faster ordered consumer",
        medianRatio(ratesOf(names.cold), theirs),
        2.5,
      ),
      atLeast("Millrace, pages ÷ the naive service", medianRatio(ours, ratesOf(names.naive)), 20),
    ],
    notes: [
      `All but the naive service make ${warmUps} passes before they are measured. The first pass is that of a server and a client just after their start.`,
      "JetStream's pulling consumer requests 10,000 messages at a time; its default of 100 is slower. Tables are vacuumed before they are read, the naive service's too.",
    ],
  };
}

const names = {
  cold: "Millrace, pages, the first pass",
  pages: "Millrace, pages",
  records: "Millrace, record by record",
  pull: "JetStream, ordered consumer (pull)",
  push: "JetStream, ordered consumer (push)",
  naive: "naive service",
} as const;

/** Fills with a server that is then stopped, so that the measured server starts with a fresh heap. */
async function fillTopic(bench: Bench, databaseUrl: string): Promise<void> {
  const { replayRecords, bodyBytes } = bench.settings;
  bench.progress("filling Millrace");
  const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl] });
  const filler = await startSubject<typeof publishMillraceSubject>(bench, "publish-millrace", {
    address: server.address,
    topic,
    bodyBytes,
    batchRecords: 1000,
  });
  await filler.round({ records: replayRecords });
  await filler.stop();
  await server.stop();
  await vacuum(databaseUrl);
}

async function millrace(bench: Bench, databaseUrl: string): Promise<Contestant[]> {
  const { bodyBytes } = bench.settings;
  const server = await startMillraceServer(bench, {
    args: ["--database-url", databaseUrl],
    profileAs: "replay-server",
  });
  const config = { address: server.address, topic, bodyBytes };
  type Client = typeof replayMillraceSubject;
  const pages = await startSubject<Client>(bench, "replay-millrace", config, { profileAs: "replay-client" });
  const records = await startSubject<Client>(bench, "replay-millrace", config);
  return [
    { name: names.pages, role: "ours", round: () => pages.round("pages") },
    { name: names.records, role: "ours", round: () => records.round("records") },
  ];
}

/** Each round is the first of a server and a client. */
function coldMillrace(bench: Bench, databaseUrl: string): Contestant {
  return {
    name: names.cold,
    role: "extra",
    async round() {
      const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl] });
      const config = { address: server.address, topic, bodyBytes: bench.settings.bodyBytes };
      const client = await startSubject<typeof replayMillraceSubject>(bench, "replay-millrace", config);
      const sample = await client.round("pages");
      await client.stop();
      await server.stop();
      return sample;
    },
  };
}

async function jetStream(bench: Bench): Promise<Contestant[]> {
  const { replayRecords: records, bodyBytes } = bench.settings;
  const server = await startNatsServer(bench);
  if (server === undefined) return [{ name: names.pull, role: "peer", note: natsIsMissing }];
  bench.progress("filling JetStream");
  const config = { port: server.port, records, bodyBytes };
  const client = await startSubject<typeof replayJetstreamSubject>(bench, "replay-jetstream", config);
  return [
    { name: names.pull, role: "peer", round: () => client.round("pull") },
    { name: names.push, role: "peer", round: () => client.round("push") },
  ];
}

async function naive(bench: Bench, databaseUrl: string): Promise<Contestant> {
  const { replayRecords: records, bodyBytes, naiveSeconds: secondsMax } = bench.settings;
  bench.progress("filling the naive service");
  const config = { databaseUrl, records, bodyBytes };
  const service = await startSubject<typeof naiveServiceSubject>(bench, "naive-service", config);
  const client = await startSubject<typeof replayNaiveSubject>(bench, "replay-naive", {
    address: service.info.address,
    bodyBytes,
    secondsMax,
  });
  return {
    name: names.naive,
    role: "peer",
    note: `stopped after ${secondsMax} s, before LIMIT/OFFSET gets even slower`,
    round: () => client.round(),
  };
}

async function redis(bench: Bench): Promise<Contestant> {
  const { replayRecords: records, bodyBytes } = bench.settings;
  const name = "Redis, XRANGE in pages of 1000";
  const server = await startRedisServer(bench);
  if (server === undefined) return { name, role: "extra", note: redisIsMissing };
  bench.progress("filling Redis");
  const config = { port: server.port, records, bodyBytes };
  const client = await startSubject<typeof replayRedisSubject>(bench, "replay-redis", config);
  return { name, role: "extra", round: () => client.round() };
}

async function passthrough(bench: Bench): Promise<Contestant> {
  const { replayRecords, bodyBytes } = bench.settings;
  type Service = typeof passthroughServiceSubject;
  const pages = Math.ceil((replayRecords * (bodyBytes + 29)) / pageBytes);
  const service = await startSubject<Service>(bench, "passthrough-service", { bodyBytes, pageBytes, pages });
  const client = await startSubject<typeof replayPassthroughSubject>(bench, "replay-passthrough", service.info);
  return {
    name: "bare grpc-js, ready-made pages of 256 KiB",
    role: "limit",
    note: "no database, not decoded",
    round: () => client.round(),
  };
}

async function pageReads(bench: Bench, databaseUrl: string): Promise<Contestant> {
  const { bodyBytes } = bench.settings;
  const config = { databaseUrl, topic, bodyBytes };
  const store = await startSubject<typeof storeLimitsSubject>(bench, "store-limits", config);
  return {
    name: "page reads from Postgres alone",
    role: "limit",
    note: "no gRPC, not decoded, one page at a time",
    round: () => store.round({ kind: "read-pages", pageBytes }),
  };
}
