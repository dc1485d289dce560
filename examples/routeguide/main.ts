/**
 * Loads the features of gRPC's own tutorial for its clients: `routeguide.RouteGuide` answers from a keyed topic, in which
 * every record is the feature at a place. The topic is created if it does not exist. Features that it has already are not
 * published again, so the program may run any number of times.
 *
 * Pieces: chunks, forEach.
 * RPCs: TopicService.GetTopic and CreateTopic; StateService.Get; RecordService.Append.
 *
 *     make run                                                   # in another terminal
 *     make example NAME=routeguide
 *
 * Then any client of the tutorial works; here is one in Python, with the packages grpcio and grpcio-tools:
 *
 *     python3 examples/routeguide/route_guide_client.py
 *
 * The loading prints:
 *
 *     100 features, 64 of them with a name, in route-guide/features: 100 published, 0 there already
 */

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { createClient, type MillraceClient, NotFoundError } from "millrace";
import { chunks, forEach, pipe } from "millrace/streams";
import { type Feature, featuresOf, keyOf, recordOf } from "./feature.js";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    topic: { type: "string", default: "route-guide/features" },
    // Compiled, this file is two folders below examples/.
    file: { type: "string", default: new URL("../../routeguide/route_guide_features.json", import.meta.url).pathname },
  },
});

/** A batch takes up to 1000 records. */
const batchRecords = 500;

async function prepareTopic(millrace: MillraceClient): Promise<void> {
  try {
    const { isKeyed } = await millrace.topics.get(values.topic);
    if (!isKeyed) throw new Error(`The topic ${values.topic} is there already, and is not keyed`);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    await millrace.topics.create(values.topic, { keyed: true });
  }
}

/** Publishes features that are new or have another name, and returns their number. */
async function load(millrace: MillraceClient, features: readonly Feature[]): Promise<number> {
  let published = 0;
  await pipe(
    features,
    chunks(batchRecords),
    forEach(async (some: readonly Feature[]) => {
      const there = await millrace.state.getMany(values.topic, some.map(keyOf));
      const names = new Map(there.map(({ key, text }) => [key, text]));
      const missing = some.filter((feature) => names.get(keyOf(feature)) !== feature.name);
      if (missing.length > 0) await millrace.append(values.topic, missing.map(recordOf));
      published += missing.length;
    }),
  );
  return published;
}

const millrace = createClient({ address: values.address });
try {
  const features = featuresOf(await readFile(values.file, "utf8"));
  await prepareTopic(millrace);
  const published = await load(millrace, features);
  const named = features.filter(({ name }) => name !== "").length;
  process.stdout.write(`${features.length} features, ${named} of them with a name, in ${values.topic}: `);
  process.stdout.write(`${published} published, ${features.length - published} there already\n`);
} finally {
  millrace.close();
}
