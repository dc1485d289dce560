import { createClient } from "../../src/client/index.js";
import { jsonBody } from "../harness/json-bodies.js";
import { type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface OneByOneConfig {
  readonly address: string;
  readonly bodyBytes: number;
}

const topic = "one-by-one";

/**
 * A round publishes records one by one, each in a commit of its own, while a follower and a consumer receive them. It
 * ends when the follower has all of them and their acknowledgements are confirmed.
 */
export async function open(config: OneByOneConfig): Promise<Subject<{ readonly commits: number }, Sample>> {
  const client = createClient({ address: config.address });
  await client.topics.create(topic);
  await client.subscriptions.create("consumer", { topic, start: "earliest", sharing: "shared" });
  const publisher = client.publisher(topic, { lingerMs: 0 });
  let published = 0;
  let followed = 0;
  let acknowledged = 0;
  let onProgress = (): void => undefined;
  const follower = client.follow(topic, { start: "earliest" });
  const following = (async () => {
    for await (const page of follower.pages()) {
      followed += page.records.length;
      onProgress();
    }
  })();
  const consumption = client.consume("consumer", { window: { records: 100 } });
  const consuming = (async () => {
    for await (const batch of consumption.batches()) {
      void batch.acknowledge().then(() => {
        acknowledged += batch.records.length;
        onProgress();
      });
    }
  })();

  async function publishOneByOne(commits: number): Promise<number> {
    for (const end = published + commits; published < end; published++) {
      await publisher.publish({ data: jsonBody(published, config.bodyBytes) });
    }
    await new Promise<void>((resolve) => {
      onProgress = () => {
        if (followed >= published && acknowledged >= published) resolve();
      };
      onProgress();
    });
    return commits;
  }

  return {
    info: undefined,
    round: ({ commits }) => timed(() => publishOneByOne(commits)),
    async close() {
      await publisher.close();
      await consumption.stop();
      client.close();
      await Promise.allSettled([following, consuming]);
    },
  };
}
