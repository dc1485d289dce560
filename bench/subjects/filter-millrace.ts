import { createClient } from "../../src/client/index.js";
import { bodies, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface FilterMillraceConfig {
  readonly address: string;
  readonly topic: string;
  readonly records: number;
  readonly bodyBytes: number;
}

/** The number of values of the attribute `group`. */
export const groups = 100;

export const groupNumber = (index: number): string => `group ${String(index % groups).padStart(2, "0")}`;

export type FilterWork =
  | "fill"
  /** Reads the whole topic. An empty filter means none. */
  | { readonly filter: string; readonly matches: number };

/** Fills a topic with records that have a key and an attribute, or reads those that match a filter. */
export async function open(config: FilterMillraceConfig): Promise<Subject<FilterWork, Sample>> {
  const client = createClient({ address: config.address });
  const { topic, records, bodyBytes } = config;

  async function fill(): Promise<number> {
    const payloads = bodies(bodyBytes);
    function* source() {
      for (let index = 0; index < records; index++) {
        const data = payloads[index % payloads.length];
        yield { key: `record/${index}`, attributes: { group: groupNumber(index) }, data };
      }
    }
    const publisher = client.publisher(topic, { batchRecords: 1000 });
    await publisher.publishAll(source());
    await publisher.close();
    return records;
  }

  /** Counts the examined records, matching or not. */
  async function read(filter: string, matches: number): Promise<number> {
    let count = 0;
    for await (const page of client.read(topic, { filter }).pages()) {
      for (const { data } of page.records) {
        if (data?.length !== bodyBytes) throw new Error(`A record has ${data?.length} bytes`);
        count += 1;
      }
    }
    if (count !== matches) throw new Error(`${filter} gave ${count} records, not ${matches}`);
    return records;
  }

  return {
    info: undefined,
    round: (work) => timed(() => (work === "fill" ? fill() : read(work.filter, work.matches))),
    async close() {
      client.close();
    },
  };
}
