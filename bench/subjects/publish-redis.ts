import { Redis } from "ioredis";
import { bodies, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface PublishRedisConfig {
  readonly port: number;
  readonly bodyBytes: number;
  readonly batchRecords: number;
}

export interface PublishRedisRound {
  readonly records: number;
  /** How many round trips may run at once. */
  readonly roundTrips: number;
}

/** A round publishes entries with XADD, one batch in each pipeline. */
export async function open(config: PublishRedisConfig): Promise<Subject<PublishRedisRound, Sample>> {
  const redis = new Redis(config.port, "127.0.0.1");
  const payloads = bodies(config.bodyBytes).map((body) => Buffer.from(body));

  async function send(batch: number): Promise<void> {
    const pipeline = redis.pipeline();
    for (let index = 0; index < config.batchRecords; index++) {
      pipeline.xadd("publish", "*", "d", payloads[(batch + index) % payloads.length] as Buffer);
    }
    const results = await pipeline.exec();
    for (const [error] of results ?? []) if (error !== null) throw error;
  }

  return {
    info: undefined,
    round: ({ records, roundTrips }) =>
      timed(async () => {
        const batches = Math.ceil(records / config.batchRecords);
        const sent: Promise<void>[] = [];
        for (let batch = 0; batch < batches; batch++) {
          const at = batch % roundTrips;
          await sent[at];
          sent[at] = send(batch);
        }
        await Promise.all(sent);
        return batches * config.batchRecords;
      }),
    async close() {
      redis.disconnect();
    },
  };
}
