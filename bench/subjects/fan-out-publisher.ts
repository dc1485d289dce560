/** Publishes as fast as followers read: it follows the topic too, and has only a few batches outstanding. */

import { createClient, type RecordPage } from "../../src/client/index.js";
import { bodies, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface FanOutPublisherConfig {
  readonly address: string;
  readonly topic: string;
  readonly bodyBytes: number;
  readonly batchRecords: number;
  readonly batchesAhead: number;
}

/** Opens after the other followers, so that it is served last and has their pace. */
export async function open(config: FanOutPublisherConfig): Promise<Subject<{ readonly records: number }, Sample>> {
  const client = createClient({ address: config.address });
  const publisher = client.publisher(config.topic, { batchRecords: config.batchRecords, lingerMs: 0 });
  const payloads = bodies(config.bodyBytes);
  let onCaughtUp = () => {};
  const caughtUp = new Promise<void>((resolve) => (onCaughtUp = resolve));
  const stop = new AbortController();
  const pages = client
    .follow(config.topic, {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "caught-up") onCaughtUp();
      },
    })
    .pages()
    [Symbol.asyncIterator]();
  // Pulled at once: a follow begins with its first pull.
  let coming: Promise<IteratorResult<RecordPage, undefined>> = pages.next();
  await caughtUp;

  return {
    info: undefined,
    round: ({ records }) =>
      timed(async () => {
        let published = 0;
        let seen = 0;
        while (seen < records) {
          while (published < records && published - seen < config.batchRecords * config.batchesAhead) {
            for (let index = 0; index < config.batchRecords; index++) {
              void publisher.publish({ data: payloads[index % payloads.length] });
            }
            published += config.batchRecords;
          }
          const page = await coming;
          if (page.done === true) throw new Error("The follow ended");
          coming = pages.next();
          seen += page.value.records.length;
        }
        await publisher.flush();
        return published;
      }),
    async close() {
      stop.abort();
      await coming.catch(() => undefined);
      await publisher.close();
      client.close();
    },
  };
}
