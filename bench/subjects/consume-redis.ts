import { Redis } from "ioredis";
import { ConsumeCheck, type ConsumeRound } from "../harness/consume-check.js";
import { fillRedis, indexOfRedisId } from "../harness/fill-redis.js";
import { type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface ConsumeRedisConfig {
  readonly port: number;
  /** A stream of each of these sizes is filled. */
  readonly fills: readonly number[];
  readonly bodyBytes: number;
}

type Entry = [id: Buffer, fields: Buffer[]];

const streamOf = (records: number) => `consume-${records}`;

/**
 * A round consumes a stream with its own consumer group: XREADGROUP of a window, then XACK of it in one round trip with
 * the next XREADGROUP. It ends when all acknowledgements are answered.
 */
export async function open(config: ConsumeRedisConfig): Promise<Subject<ConsumeRound, Sample>> {
  const redis = new Redis(config.port, "127.0.0.1");
  const { bodyBytes } = config;
  for (const records of config.fills) await fillRedis(redis, { stream: streamOf(records), records, bodyBytes });
  // Each has its own connection, as workers have.
  const connections: Redis[] = [];

  async function consumeAs(consumer: string, connection: Redis, check: ConsumeCheck, round: ConsumeRound) {
    const stream = streamOf(round.records);
    const { window } = round;
    let done: Buffer[] = [];
    let rejected: Buffer[] = [];
    for (let isAtEnd = false; ; ) {
      const pipeline = connection.pipeline();
      if (done.length > 0) pipeline.xack(stream, "group", ...done);
      // Redis has no rejection: an unacknowledged entry can be claimed again, here by the same consumer. A scan for
      // idle entries (XAUTOCLAIM) would also find those that others are processing, or would have to wait.
      if (rejected.length > 0) pipeline.callBuffer("XCLAIM", stream, "group", consumer, 0, ...rejected);
      const room = window - rejected.length;
      const reads = !isAtEnd && room > 0;
      if (reads) pipeline.xreadgroupBuffer("GROUP", "group", consumer, "COUNT", room, "STREAMS", stream, ">");
      if (pipeline.length === 0) return;
      const results = ((await pipeline.exec()) ?? []).map(([error, result]) => {
        if (error !== null) throw error;
        return result;
      });
      const entries: Entry[] = [];
      if (done.length > 0 && results.shift() !== done.length) throw new Error("An entry was not acknowledged");
      if (rejected.length > 0) entries.push(...(results.shift() as Entry[]));
      if (reads) {
        const read = entriesOf(results.shift());
        if (read.length === 0) isAtEnd = true;
        entries.push(...read);
      }
      done = [];
      rejected = [];
      for (const [id, fields] of entries) {
        if (check.accepts(indexOfRedisId(id), fields[1])) done.push(id);
        else rejected.push(id);
      }
    }
  }

  async function consume(round: ConsumeRound): Promise<number> {
    const check = new ConsumeCheck(round, bodyBytes);
    const all = connections.slice(0, round.consumers);
    await Promise.all(all.map((connection, index) => consumeAs(`consumer-${index}`, connection, check, round)));
    return check.finish();
  }

  return {
    info: undefined,
    async round(round) {
      const stream = streamOf(round.records);
      while (connections.length < round.consumers) {
        const connection = new Redis(config.port, "127.0.0.1");
        await connection.ping();
        connections.push(connection);
      }
      await redis.xgroup("CREATE", stream, "group", "0");
      const sample = await timed(() => consume(round));
      const [pending] = (await redis.xpending(stream, "group")) as [number];
      if (pending > 0) throw new Error(`${pending} entries were not acknowledged`);
      await redis.xgroup("DESTROY", stream, "group");
      return sample;
    },
    async close() {
      for (const connection of [redis, ...connections]) connection.disconnect();
    },
  };
}

/** The entries of a read of one stream. None: the stream is at its end. */
function entriesOf(answer: unknown): Entry[] {
  const [first] = (answer ?? []) as [stream: Buffer, entries: Entry[]][];
  return first?.[1] ?? [];
}
