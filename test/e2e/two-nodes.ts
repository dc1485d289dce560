import { expect } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { AcknowledgedLog, publishBatches, Transcript } from "../support/acknowledged-log.js";
import { createTestDatabase } from "../support/database.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";
import { type Random, wholeNumberBetween } from "../support/soak.js";
import { quickBackoff } from "./publish-through.js";

const topic = "published/over-two-nodes";

/** The batch size of each publisher: four publishers on either node. */
const batchSizes = [5, 8, 20, 40, 50, 100, 200, 500] as const;

export interface TwoNodes {
  /** Approximately, over all publishers. */
  readonly records: number;
  readonly random: Random;
  /** Kill one node in the middle, and restart it. */
  readonly isOneKilled: boolean;
}

/**
 * Eight publishers publish over two nodes on one Postgres into one topic, and one follower follows on each node.
 * Offsets have no gap, no batch is torn, and every acknowledgement is true on both nodes.
 */
export async function publishOverTwoNodes({ records, random, isOneKilled }: TwoNodes): Promise<void> {
  const database = await createTestDatabase("postgres");
  const settings = ["--metrics", "127.0.0.1:0", "--log-level", "error", ...databaseArguments(database.connection)];
  const start = (address: string) => startServerProcess(["--listen", address, ...settings]);
  const nodes = await Promise.all([start("127.0.0.1:0"), start("127.0.0.1:0")]);
  const clients = nodes.map(({ address }) => createClient({ address }));
  const [first, second] = clients as [MillraceClient, MillraceClient];
  const over = new AbortController();
  try {
    await first.topics.create(topic);
    const log = new AcknowledgedLog();
    const transcripts = [new Transcript(), new Transcript()];
    const followers = transcripts.map(async (transcript, index) => {
      const options = { start: "earliest", backoff: quickBackoff, signal: over.signal } as const;
      for await (const record of clients[index]!.follow(topic, options)) transcript.take(record);
    });
    const publishers = batchSizes.map((batchRecords, index) => {
      const batches = Math.ceil(records / batchSizes.length / batchRecords);
      const client = index % 2 === 0 ? first : second;
      const goesOn = (batch: number) => batch < batches;
      const options = { topic, name: `publisher-${index}`, log, batchRecords, goesOn, backoff: quickBackoff };
      return publishBatches(client, { ...options, outstanding: 4 });
    });
    for (const each of [...followers, ...publishers]) each.catch(() => undefined);
    if (isOneKilled) {
      await log.reaches(records * (0.2 + 0.3 * random()), publishers);
      const index = wholeNumberBetween(random, 0, 1);
      await nodes[index]!.stop("SIGKILL");
      nodes[index] = await start(nodes[index]!.address);
    }
    await Promise.all(publishers);
    const { nextOffset } = await second.topics.get(topic);
    expect(log.size).toBe(nextOffset);
    for (const [index, transcript] of transcripts.entries()) {
      await transcript.reaches(nextOffset, followers[index]!);
      log.check(transcript);
    }
    const restamped = (await Promise.all(nodes.map(readRestamped))).reduce((sum, count) => sum + count);
    console.log(
      `two nodes${isOneKilled ? ", one killed" : ""}: ${nextOffset} records in ${log.latenciesMs.length} batches,`,
      `${restamped} commits restamped, append latency p50 ${log.latencyMs(50).toFixed(1)} ms,`,
      `p99 ${log.latencyMs(99).toFixed(1)} ms`,
    );
    over.abort();
    await Promise.allSettled(followers);
  } finally {
    over.abort();
    for (const client of clients) client.close();
    await Promise.all(nodes.map((node) => node.stop()));
    await database.drop();
  }
}

/** How many commits the node decided again because the other had written. */
async function readRestamped({ metricsAddress }: ServerProcess): Promise<number> {
  const response = await fetch(`http://${metricsAddress}/metrics`);
  const [, count] = /^millrace_appends_restamped_total (\d+)$/m.exec(await response.text()) ?? [];
  expect(count).toBeDefined();
  return Number(count);
}
