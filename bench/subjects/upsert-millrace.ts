import { createClient } from "../../src/client/index.js";
import { bodies, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface UpsertMillraceConfig {
  readonly address: string;
  readonly topic: string;
  readonly isKeyed: boolean;
  /** The number of keys. Each is used again after all the others. */
  readonly keys: number;
  readonly bodyBytes: number;
  readonly batchRecords: number;
}

/** A round publishes records with keys. It ends when all of them are durable. */
export async function open(config: UpsertMillraceConfig): Promise<Subject<{ readonly records: number }, Sample>> {
  const client = createClient({ address: config.address });
  const payloads = bodies(config.bodyBytes);
  await client.topics.create(config.topic, { keyed: config.isKeyed });
  let next = 0;

  function* source(records: number) {
    for (const end = next + records; next < end; next++) {
      // Consecutive records are not neighbours in the index.
      const key = (next * 7919) % config.keys;
      yield { key: `feature/${String(key).padStart(8, "0")}`, data: payloads[next % payloads.length] };
    }
  }

  return {
    info: undefined,
    round: ({ records }) =>
      timed(async () => {
        const publisher = client.publisher(config.topic, { batchRecords: config.batchRecords });
        const published = await publisher.publishAll(source(records));
        await publisher.close();
        return published.records;
      }),
    async close() {
      client.close();
    },
  };
}
