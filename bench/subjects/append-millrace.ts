import { createClient } from "../../src/client/index.js";
import { jsonBody } from "../harness/json-bodies.js";
import { type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface AppendMillraceConfig {
  readonly address: string;
  readonly bodyBytes: number;
}

export interface AppendRound {
  /** How many records, each a call of its own; `ahead` calls run at once. */
  readonly records: number;
  readonly ahead: number;
  /** The number of topics, used in turn; their names begin with `prefix`. */
  readonly topics: number;
  readonly prefix: string;
}

/** A round appends single records to topics in turn. It ends when all of them are durable. */
export async function open(config: AppendMillraceConfig): Promise<Subject<AppendRound, Sample>> {
  const client = createClient({ address: config.address });

  async function append({ records, ahead, topics, prefix }: AppendRound): Promise<number> {
    let next = 0;
    const appendOneByOne = async () => {
      while (next < records) {
        const index = next++;
        await client.append(`${prefix}/${index % topics}`, [{ data: jsonBody(index, config.bodyBytes) }]);
      }
    };
    await Promise.all(Array.from({ length: ahead }, appendOneByOne));
    return records;
  }

  return {
    info: undefined,
    round: (round) => timed(() => append(round)),
    async close() {
      client.close();
    },
  };
}
