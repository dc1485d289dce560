import { createClient } from "../../src/client/index.js";
import { FeatureCheck, readFeatures } from "../harness/features.js";
import { type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface FeaturesMillraceConfig {
  readonly address: string;
  readonly topic: string;
}

export type FeaturesWork = "fill" | "list-pages" | "list-records" | "watch";

/** Fills a keyed topic with features, lists it, or watches it to the end of the snapshot. */
export async function open(config: FeaturesMillraceConfig): Promise<Subject<FeaturesWork, Sample>> {
  const client = createClient({ address: config.address });
  const { topic } = config;
  const features = readFeatures();

  async function fill(): Promise<number> {
    await client.topics.create(topic, { keyed: true });
    const publisher = client.publisher(topic);
    await publisher.publishAll(features);
    await publisher.close();
    return features.length;
  }

  async function read(work: Exclude<FeaturesWork, "fill">): Promise<number> {
    const check = new FeatureCheck();
    const stream = work === "watch" ? client.state.watch(topic) : client.state.list(topic);
    if (work === "list-records") {
      for await (const { key, data, location } of stream) check.see(key, data, location?.latitude);
    } else {
      for await (const { records } of stream.pages()) {
        for (const { key, data, location } of records) check.see(key, data, location?.latitude);
        if (work === "watch" && check.count === features.length) break;
      }
    }
    if (check.count !== features.length) throw new Error(`Read ${check.count} of ${features.length} features`);
    return check.count;
  }

  return {
    info: undefined,
    round: (work) => timed(() => (work === "fill" ? fill() : read(work))),
    async close() {
      client.close();
    },
  };
}
