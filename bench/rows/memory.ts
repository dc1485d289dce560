/** The memory of a stalled follower, compared with a bare grpc-js stream that is stalled on the smallest page. */

import { type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { FollowRequest } from "../../src/gen/millrace/v1/record_service.js";
import { type Bench, inTurns } from "../harness/bench.js";
import type { MemoryReport } from "../harness/probe.js";
import { atMost, type RowResult } from "../harness/result.js";
import { median, medianRatio } from "../harness/statistics.js";
import { startSubject, type SubjectProcess } from "../harness/subject.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import type * as passthroughServiceSubject from "../subjects/passthrough-service.js";
import type * as publishMillraceSubject from "../subjects/publish-millrace.js";
import type * as stalledStreamsSubject from "../subjects/stalled-streams.js";

const topic = "memory";
const path = "/millrace.v1.RecordService/Follow";
/** Bare streams send messages of the smallest page's size. */
const messageBytes = 32 * 1024;
/** Streams start in this many groups, each at another place of the topic. */
const groups = 10;
/** The records of history, and those published after the live followers: far more than a tail. */
const historyRecords = 640_000;
const liveRecords = 20_000;

type Publisher = typeof publishMillraceSubject;

/** Garbage is collected before memory is read. Subjects load the probe for that; a real server is started with it. */
const collectable = ["--expose-gc"];
const probed = [...collectable, "--import", fileURLToPath(new URL("../harness/probe.js", import.meta.url))];

interface Growth {
  readonly rss: number[];
  readonly held: number[];
}

export async function memory(bench: Bench): Promise<RowResult> {
  const { stalledStreams: streams } = bench.settings;
  const databaseUrl = await bench.createDatabase();
  await fillHistory(bench, databaseUrl);
  const bare: Growth = { rss: [], held: [] };
  const history: Growth = { rss: [], held: [] };
  const live: Growth = { rss: [], held: [] };
  await inTurns(bench, [
    { name: "bare grpc-js", measure: () => measureBare(bench, bare) },
    { name: "Millrace, in history", measure: () => measureHistory(bench, databaseUrl, history) },
    { name: "Millrace, live", measure: () => measureLive(bench, databaseUrl, live) },
  ]);
  const line = (subject: string, role: "ours" | "peer", growth: Growth) => ({
    subject,
    role,
    values: growth.rss,
    unit: "KiB/stream" as const,
    note: `resident; heap and buffers alone ${median(growth.held)?.toFixed(0)} KiB`,
  });
  return {
    title: `memory of ${streams} stalled followers, with staggered starts`,
    lines: [
      line("Millrace, in history", "ours", history),
      line("Millrace, live, then past the tail", "ours", live),
      line("bare grpc-js, stalled on messages of 32 KiB", "peer", bare),
    ],
    goals: [
      atMost("in history ÷ bare", medianRatio(history.rss, bare.rss), 1.2),
      atMost("live ÷ bare", medianRatio(live.rss, bare.rss), 1.2),
    ],
    notes: [
      `Growth of the server's resident memory after a forced collection, from the first tenth of the streams to all of them; a fresh server each time. Live streams start in ${groups} groups, with ${liveRecords} records published after each: far more than their windows and the tail hold.`,
    ],
  };
}

async function fillHistory(bench: Bench, databaseUrl: string): Promise<void> {
  bench.progress("filling Millrace");
  const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl] });
  const filler = await startPublisher(bench, server.address, topic);
  await filler.round({ records: historyRecords });
  await filler.stop();
  await server.stop();
}

async function measureBare(bench: Bench, growth: Growth): Promise<void> {
  const { bodyBytes, stalledStreams } = bench.settings;
  const config = { bodyBytes, pageBytes: messageBytes, pages: 1_000_000 };
  const service = await startSubject<typeof passthroughServiceSubject>(bench, "passthrough-service", config, {
    nodeArgs: collectable,
  });
  const { passthroughReplay } = await import("../subjects/passthrough-service.js");
  const request = new Uint8Array(0);
  const requests = Array.from({ length: stalledStreams }, () => request);
  await measure(bench, growth, service, { address: service.info.address, path: passthroughReplay.path, requests });
}

async function measureHistory(bench: Bench, databaseUrl: string, growth: Growth): Promise<void> {
  const { stalledStreams } = bench.settings;
  const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl], nodeArgs: probed });
  const requests = Array.from({ length: stalledStreams }, (_, index) =>
    followFrom(Math.floor((index * historyRecords * 0.9) / stalledStreams)),
  );
  await measure(bench, growth, server, { address: server.address, path, requests });
}

async function measureLive(bench: Bench, databaseUrl: string, growth: Growth): Promise<void> {
  const { stalledStreams } = bench.settings;
  const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl], nodeArgs: probed });
  const liveTopic = `live-${growth.rss.length}`;
  const publisher = await startPublisher(bench, server.address, liveTopic);
  const between = () => publisher.round({ records: liveRecords });
  await between();
  const request = FollowRequest.encode(FollowRequest.fromPartial({ topic: liveTopic })).finish();
  const requests = Array.from({ length: stalledStreams }, () => request);
  await measure(bench, growth, server, { address: server.address, path, requests, between });
  await publisher.stop();
}

function followFrom(offset: number): Uint8Array {
  return FollowRequest.encode(
    FollowRequest.fromPartial({ topic, start: { at: { $case: "offset", value: offset } } }),
  ).finish();
}

function startPublisher(bench: Bench, address: string, name: string): Promise<SubjectProcess<Publisher>> {
  const config = { address, topic: name, bodyBytes: bench.settings.bodyBytes, batchRecords: 1000 };
  return startSubject<Publisher>(bench, "publish-millrace", config);
}

/**
 * How much memory each stalled stream adds to a server. The first group is not counted: it includes what a server
 * allocates once. It stays open, so the later groups cannot reuse that. Stops the server.
 */
async function measure(
  bench: Bench,
  growth: Growth,
  server: { readonly process: ChildProcess; stop(): Promise<void> },
  streams: {
    readonly address: string;
    readonly path: string;
    /** One for each stream. */
    readonly requests: readonly Uint8Array[];
    /** Called after each group. */
    readonly between?: () => Promise<unknown>;
  },
): Promise<void> {
  const { address, requests, between } = streams;
  const clients = await startSubject<typeof stalledStreamsSubject>(bench, "stalled-streams", {
    address,
    path: streams.path,
  });
  const size = Math.ceil(requests.length / groups);
  const openGroup = async (start: number) => {
    await clients.round({ kind: "open", requests: requests.slice(start, start + size) });
    await between?.();
  };
  await openGroup(0);
  await clients.round({ kind: "settle" });
  const before = await measureMemory(server.process);
  for (let start = size; start < requests.length; start += size) await openGroup(start);
  await clients.round({ kind: "settle" });
  const after = await measureMemory(server.process);
  const perStream = (bytes: number) => bytes / 1024 / (requests.length - size);
  growth.rss.push(perStream(after.rss - before.rss));
  growth.held.push(perStream(after.heapUsed + after.external - before.heapUsed - before.external));
  await clients.stop();
  await server.stop();
}

async function measureMemory(server: ChildProcess): Promise<MemoryReport> {
  const answered = once(server, "message") as Promise<[MemoryReport]>;
  server.send("measure-memory");
  const [report] = await answered;
  return report;
}
