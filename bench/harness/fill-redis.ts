import type { Redis } from "ioredis";
import { bodies } from "./sample.js";

const pipelineRecords = 10_000;

/** Fills a stream with entries. Their ids count up, so that a reader can check that none is missing. */
export async function fillRedis(
  redis: Redis,
  { stream, records, bodyBytes }: { readonly stream: string; readonly records: number; readonly bodyBytes: number },
): Promise<void> {
  const payloads = bodies(bodyBytes).map((body) => Buffer.from(body));
  for (let sent = 0; sent < records; ) {
    const pipeline = redis.pipeline();
    const end = Math.min(records, sent + pipelineRecords);
    for (; sent < end; sent++) pipeline.xadd(stream, `1-${sent}`, "d", payloads[sent % payloads.length] as Buffer);
    await pipeline.exec();
  }
}

/** The index of an entry, counted from 0. */
export function indexOfRedisId(id: Buffer | string): number {
  return Number(id.toString("latin1").slice(2));
}
