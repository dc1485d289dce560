/** From the call that publishes one record until a follower has it; in between, commits of the database. */

import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { createClient } from "../../src/client/index.js";
import { bodies } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface LatencyConfig {
  readonly address: string;
  readonly databaseUrl: string;
  readonly bodyBytes: number;
}

/** Milliseconds, one value for each sample. */
export interface LatencySamples {
  /** Inserting and committing one row with `pg`. */
  readonly commit: number[];
  /** `publisher.publish`, without lingering, until the follower has it. */
  readonly published: number[];
  /** `client.append` until the follower has it. */
  readonly appended: number[];
}

const topic = "latency";
/** Long enough for the node to be idle again. */
const pauseMs = 5;

export async function open(config: LatencyConfig): Promise<Subject<{ readonly samples: number }, LatencySamples>> {
  const database = new pg.Client({ connectionString: config.databaseUrl });
  await database.connect();
  await database.query("create table commits (id bigserial primary key, data bytea not null)");
  const client = createClient({ address: config.address });
  const record = { data: bodies(config.bodyBytes)[0] as Uint8Array };
  const body = Buffer.from(record.data);
  await client.append(topic, [record]);
  const publisher = client.publisher(topic, { lingerMs: 0 });
  const stop = new AbortController();
  const pages = client.follow(topic, { start: "earliest", signal: stop.signal }).pages();
  await pages.next();

  async function measure(work: () => Promise<unknown>): Promise<number> {
    await sleep(pauseMs);
    const startMs = performance.now();
    await work();
    return performance.now() - startMs;
  }
  const commit = () =>
    database.query({ name: "commit", text: "insert into commits (data) values ($1)", values: [body] });
  const delivered = (publish: () => Promise<unknown>) => {
    const coming = pages.next();
    publish().catch(() => undefined);
    return coming;
  };

  return {
    info: undefined,
    async round({ samples }) {
      const taken: LatencySamples = { commit: [], published: [], appended: [] };
      for (let index = 0; index < samples; index++) {
        taken.commit.push(await measure(commit));
        taken.published.push(await measure(() => delivered(() => publisher.publish(record))));
        taken.appended.push(await measure(() => delivered(() => client.append(topic, [record]))));
      }
      return taken;
    },
    async close() {
      stop.abort();
      await publisher.close();
      client.close();
      await database.end();
    },
  };
}
