import { Redis } from "ioredis";
import { fillRedis, indexOfRedisId } from "../harness/fill-redis.js";
import { ReplayCheck, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface ReplayRedisConfig {
  readonly port: number;
  readonly records: number;
  readonly bodyBytes: number;
}

const pageRecords = 1000;

/** Fills a stream once. A round reads it with XRANGE, in pages. */
export async function open(config: ReplayRedisConfig): Promise<Subject<void, Sample>> {
  const redis = new Redis(config.port, "127.0.0.1");
  const { records, bodyBytes } = config;
  await fillRedis(redis, { stream: "replay", records, bodyBytes });
  return {
    info: undefined,
    round: () =>
      timed(async () => {
        const check = new ReplayCheck(config.bodyBytes, 0);
        let from = "-";
        for (;;) {
          const page = await redis.xrangeBuffer("replay", from, "+", "COUNT", pageRecords);
          let last = "";
          for (const [id, fields] of page) {
            last = id.toString("latin1");
            check.see(indexOfRedisId(last), fields[1]);
          }
          if (page.length < pageRecords) return check.count;
          from = `(${last}`;
        }
      }),
    async close() {
      redis.disconnect();
    },
  };
}
