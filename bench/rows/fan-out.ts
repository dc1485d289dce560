/** One topic to many live followers. */

import { FollowRequest } from "../../src/gen/millrace/v1/record_service.js";
import { type Bench, inTurns } from "../harness/bench.js";
import { cpuSecondsOf } from "../harness/process-usage.js";
import { framesWithin } from "../harness/record-frames.js";
import { atLeast, type RowResult } from "../harness/result.js";
import { bodies } from "../harness/sample.js";
import { median, medianRatio } from "../harness/statistics.js";
import { startSubject } from "../harness/subject.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import type * as fanOutFollowersSubject from "../subjects/fan-out-followers.js";
import type * as fanOutPublisherSubject from "../subjects/fan-out-publisher.js";
import type * as passthroughServiceSubject from "../subjects/passthrough-service.js";
import type * as publishMillraceSubject from "../subjects/publish-millrace.js";

const topic = "fan-out";
/** A batch of publishers without hurry: about 16 KB of records of 128 B. */
const batchRecords = 100;
const batchesAhead = 4;
const wantedRate = 2_200_000;

type Followers = typeof fanOutFollowersSubject;

interface Contestant {
  readonly name: string;
  readonly rates: number[];
  /** How many cores the server used. */
  readonly cores: number[];
  measure(): Promise<void>;
}

export async function fanOut(bench: Bench): Promise<RowResult> {
  const { followers } = bench.settings;
  const [frameBytes] = framesWithin(bodies(bench.settings.bodyBytes), 1).ends;
  const ours = await millrace(bench, frameBytes as number);
  const bare = await bareStreams(bench, frameBytes as number);
  await inTurns(bench, [ours, bare]);
  const cores = (contestant: Contestant) => `${median(contestant.cores)?.toFixed(2) ?? "?"} cores busy in the server`;
  return {
    title: `fan-out of one topic to ${followers} live followers, in batches of ${batchRecords} records of ${bench.settings.bodyBytes} B`,
    lines: [
      { subject: ours.name, role: "ours", values: ours.rates, unit: "deliveries/s", note: cores(ours) },
      { subject: bare.name, role: "limit", values: bare.rates, unit: "deliveries/s", note: cores(bare) },
    ],
    goals: [
      atLeast("Millrace on Postgres", median(ours.rates), wantedRate, "deliveries/s"),
      atLeast("Millrace on Postgres ÷ bare grpc-js", medianRatio(ours.rates, bare.rates), 0.75),
    ],
    notes: [
      `The publisher has up to ${batchesAhead} batches outstanding: it publishes the next one when its own follower, the last to be served, has received one.`,
      "Followers are raw http2 streams in two processes, which count records by the length of messages.",
    ],
  };
}

/** Two processes for the clients, so that the clients are not the bottleneck. */
async function startFollowers(bench: Bench, config: Omit<Parameters<Followers["open"]>[0], "streams">) {
  const streams = Math.ceil(bench.settings.followers / 2);
  const start = () => startSubject<Followers>(bench, "fan-out-followers", { ...config, streams });
  return [await start(), await start()] as const;
}

async function millrace(bench: Bench, frameBytes: number): Promise<Contestant> {
  const { bodyBytes, fanOutRecords } = bench.settings;
  const args = ["--database-url", await bench.createDatabase()];
  const server = await startMillraceServer(bench, { args, profileAs: "fan-out-server" });
  const filler = await startSubject<typeof publishMillraceSubject>(bench, "publish-millrace", {
    address: server.address,
    topic,
    bodyBytes,
    batchRecords,
  });
  await filler.round({ records: batchRecords });
  await filler.stop();
  const request = FollowRequest.encode(FollowRequest.fromPartial({ topic })).finish();
  const followers = await startFollowers(bench, {
    address: server.address,
    path: "/millrace.v1.RecordService/Follow",
    request,
    frameBytes,
    greets: true,
  });
  const publisher = await startSubject<typeof fanOutPublisherSubject>(bench, "fan-out-publisher", {
    address: server.address,
    topic,
    bodyBytes,
    batchRecords,
    batchesAhead,
  });
  const records = Math.ceil(fanOutRecords / batchRecords) * batchRecords;
  const work = () => Promise.all([...followers.map((each) => each.round({ records })), publisher.round({ records })]);
  return contestant("Millrace on Postgres", bench, server.process.pid, records, work);
}

async function bareStreams(bench: Bench, frameBytes: number): Promise<Contestant> {
  const { bodyBytes, fanOutRecords } = bench.settings;
  const pages = Math.ceil(fanOutRecords / batchRecords);
  const pageBytes = batchRecords * frameBytes;
  const service = await startSubject<typeof passthroughServiceSubject>(bench, "passthrough-service", {
    bodyBytes,
    pageBytes,
    pages,
  });
  const { passthroughReplay } = await import("../subjects/passthrough-service.js");
  const followers = await startFollowers(bench, {
    address: service.info.address,
    path: passthroughReplay.path,
    request: new Uint8Array(0),
    frameBytes,
    greets: false,
  });
  const records = pages * batchRecords;
  const work = () => Promise.all(followers.map((each) => each.round({ records })));
  return contestant("bare grpc-js, the same messages", bench, service.process.pid, records, work);
}

function contestant(
  name: string,
  bench: Bench,
  serverPid: number | undefined,
  records: number,
  work: () => Promise<unknown>,
): Contestant {
  const rates: number[] = [];
  const cores: number[] = [];
  const cpuSeconds = async () => (serverPid === undefined ? undefined : await cpuSecondsOf(serverPid));
  return {
    name,
    rates,
    cores,
    async measure() {
      const cpuBefore = await cpuSeconds();
      const startMs = performance.now();
      await work();
      const seconds = (performance.now() - startMs) / 1000;
      const cpuAfter = await cpuSeconds();
      rates.push((records * 2 * Math.ceil(bench.settings.followers / 2)) / seconds);
      if (cpuBefore !== undefined && cpuAfter !== undefined) cores.push((cpuAfter - cpuBefore) / seconds);
    },
  };
}
