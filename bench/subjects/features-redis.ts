import { Redis } from "ioredis";
import { FeatureCheck, readFeatures } from "../harness/features.js";
import { type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface FeaturesRedisConfig {
  readonly port: number;
}

const hash = "features";
const pageRecords = 1000;
/** Before the data in each value: latitude and longitude. */
const placeBytes = 16;

/** Fills a hash once, one field for each feature. A round scans it with HSCAN: unordered, and without later changes. */
export async function open(config: FeaturesRedisConfig): Promise<Subject<void, Sample>> {
  const redis = new Redis(config.port, "127.0.0.1");
  const features = readFeatures();
  for (let start = 0; start < features.length; start += pageRecords) {
    const values = features.slice(start, start + pageRecords).map(({ key, data, location }): [string, Buffer] => {
      const place = Buffer.alloc(placeBytes);
      place.writeDoubleLE(location.latitude, 0);
      place.writeDoubleLE(location.longitude, 8);
      return [key, Buffer.concat([place, data])];
    });
    await redis.hset(hash, new Map(values));
  }
  return {
    info: undefined,
    round: () =>
      timed(async () => {
        const check = new FeatureCheck();
        let cursor = "0";
        do {
          const [next, entries] = await redis.hscanBuffer(hash, cursor, "COUNT", pageRecords);
          for (let index = 0; index < entries.length; index += 2) {
            const [key, value] = [entries[index] as Buffer, entries[index + 1] as Buffer];
            check.see(key.toString(), value.subarray(placeBytes), value.readDoubleLE(0));
          }
          cursor = next.toString();
        } while (cursor !== "0");
        return check.count;
      }),
    async close() {
      redis.disconnect();
    },
  };
}
