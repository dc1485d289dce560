import { Redis } from "ioredis";
import { bodies, ReplayCheck, type Sample, timed } from "../harness/sample.js";
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
  const payloads = bodies(config.bodyBytes).map((body) => Buffer.from(body));
  for (let sent = 0; sent < config.records; ) {
    const pipeline = redis.pipeline();
    const end = Math.min(config.records, sent + 10_000);
    // Ids count up, so that a reader can tell that none is missing.
    for (; sent < end; sent++) pipeline.xadd("replay", `1-${sent}`, "d", payloads[sent % payloads.length] as Buffer);
    await pipeline.exec();
  }
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
            check.see(Number(last.slice(2)), fields[1]);
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
