import { createClient } from "../../src/client/index.js";
import { ReplayCheck, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface ReplayMillraceConfig {
  readonly address: string;
  readonly topic: string;
  readonly bodyBytes: number;
}

/** Our client: whole pages, or one record at a time. */
export async function open(config: ReplayMillraceConfig): Promise<Subject<"pages" | "records", Sample>> {
  const client = createClient({ address: config.address });
  return {
    info: undefined,
    round: (way) =>
      timed(async () => {
        const check = new ReplayCheck(config.bodyBytes, 0);
        const stream = client.read(config.topic);
        if (way === "records") for await (const record of stream) check.see(record.offset, record.data);
        else {
          for await (const { records } of stream.pages()) {
            for (const record of records) check.see(record.offset, record.data);
          }
        }
        return check.count;
      }),
    async close() {
      client.close();
    },
  };
}
