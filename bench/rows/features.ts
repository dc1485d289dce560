/** A state of real features to one client, decoded: as a list, and as the snapshot of a watch. */

import { type Bench, inTurns } from "../harness/bench.js";
import { readFeatures } from "../harness/features.js";
import type { Line, RowResult } from "../harness/result.js";
import { rateOf, type Sample } from "../harness/sample.js";
import { startSubject } from "../harness/subject.js";
import { vacuum } from "../harness/vacuum.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import { redisIsMissing, startRedisServer } from "../peers/redis-server.js";
import type * as featuresMillraceSubject from "../subjects/features-millrace.js";
import type * as featuresNaiveSubject from "../subjects/features-naive.js";
import type * as featuresRedisSubject from "../subjects/features-redis.js";
import type * as naiveFeaturesSubject from "../subjects/naive-features.js";

const topic = "features";

interface Contestant {
  readonly name: string;
  readonly role: Line["role"];
  readonly note?: string;
  /** Absent: it cannot be measured here, and `note` says why. */
  readonly round?: () => Promise<Sample>;
}

const names = {
  list: "Millrace, List, pages",
  listRecords: "Millrace, List, record by record",
  watch: "Millrace, the snapshot of a Watch, pages",
  naive: "naive service",
  redis: "Redis, HSCAN in pages of 1000",
} as const;

export async function features(bench: Bench): Promise<RowResult> {
  const databaseUrl = await bench.createDatabase();
  await fill(bench, databaseUrl);
  const contestants = [
    ...(await millrace(bench, databaseUrl)),
    await naive(bench, await bench.createDatabase()),
    await redis(bench),
  ];
  const rates = contestants.map((): number[] => []);
  await inTurns(
    bench,
    contestants.flatMap(({ name, round }, index) =>
      round === undefined ? [] : [{ name, measure: async () => void rates[index]?.push(rateOf(await round())) }],
    ),
  );
  return {
    title: `state of ${readFeatures().length.toLocaleString("en")} features to one client, decoded`,
    lines: contestants.map(({ name, role, note }, index) => ({
      subject: name,
      role,
      values: rates[index] ?? [],
      unit: "features/s",
      ...(note === undefined ? {} : { note }),
    })),
    goals: [],
    notes: [
      "Cities with their properties as JSON and their location. A listing is in the order of keys. A snapshot is in the order of changes, which continue after it. A scan of a hash has no order, and no changes after it. Tables are vacuumed before they are read, the naive service's too.",
    ],
  };
}

/** Fills with a server that is then stopped, so that the measured server starts with a fresh heap. */
async function fill(bench: Bench, databaseUrl: string): Promise<void> {
  bench.progress("filling Millrace");
  const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl] });
  const config = { address: server.address, topic };
  const filler = await startSubject<typeof featuresMillraceSubject>(bench, "features-millrace", config);
  await filler.round("fill");
  await filler.stop();
  await server.stop();
  await vacuum(databaseUrl);
}

async function millrace(bench: Bench, databaseUrl: string): Promise<Contestant[]> {
  const server = await startMillraceServer(bench, {
    args: ["--database-url", databaseUrl],
    profileAs: "features-server",
  });
  const client = await startSubject<typeof featuresMillraceSubject>(
    bench,
    "features-millrace",
    { address: server.address, topic },
    { profileAs: "features-client" },
  );
  // Lets code be compiled.
  await client.round("list-pages");
  return [
    { name: names.list, role: "ours", round: () => client.round("list-pages") },
    { name: names.listRecords, role: "ours", round: () => client.round("list-records") },
    { name: names.watch, role: "ours", round: () => client.round("watch") },
  ];
}

async function naive(bench: Bench, databaseUrl: string): Promise<Contestant> {
  bench.progress("filling the naive service");
  const service = await startSubject<typeof naiveFeaturesSubject>(bench, "naive-features", { databaseUrl });
  const client = await startSubject<typeof featuresNaiveSubject>(bench, "features-naive", service.info);
  return { name: names.naive, role: "peer", note: "row objects, a message a record", round: () => client.round() };
}

async function redis(bench: Bench): Promise<Contestant> {
  const server = await startRedisServer(bench);
  if (server === undefined) return { name: names.redis, role: "peer", note: redisIsMissing };
  bench.progress("filling Redis");
  const client = await startSubject<typeof featuresRedisSubject>(bench, "features-redis", { port: server.port });
  return { name: names.redis, role: "peer", note: "from memory", round: () => client.round() };
}
