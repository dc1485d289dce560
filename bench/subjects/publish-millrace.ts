import { createClient } from "../../src/client/index.js";
import { bodies, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface PublishMillraceConfig {
  readonly address: string;
  readonly topic: string;
  readonly bodyBytes: number;
  readonly batchRecords: number;
}

/** A round publishes records. It ends when all of them are durable. */
export async function open(config: PublishMillraceConfig): Promise<Subject<{ readonly records: number }, Sample>> {
  const client = createClient({ address: config.address });
  const payloads = bodies(config.bodyBytes);

  function* source(records: number) {
    for (let index = 0; index < records; index++) yield { data: payloads[index % payloads.length] };
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
