/**
 * A second gRPC server, between Millrace and its own clients. It watches features, adds the distance of each from a place
 * and its size, and serves them as a stream of its own API (`relay.proto`). Here a fast and a slow client watch 20,000
 * features through it while as many changes are published. The slow client slows only its own watch, as `millrace streams`
 * shows: it gets fewer changes, and ends with the same features.
 *
 * Pieces: Stage, toWritable, oneshot, sleep.
 * RPCs: StateService.Watch; RecordService.Publish; TopicService.CreateTopic, CloseTopic and DeleteTopic; InspectService.
 *
 *     make run                                                   # in another terminal
 *     make example NAME=relay ARGS="--features 20000 --changes 20000"
 *
 * It prints:
 *
 *     20000 features, 20000 changes; then millrace streams shows two watches:
 *     next 4544, lag 15456, waits for client window
 *     next 40000, lag 0, waits for new records
 *     fast: 40000 features in 156 messages, 18000 kept
 *     slow: 24695 features in 123 messages, 18000 kept
 *     the same in the end
 *
 * `--serve` only serves, for other programs: `make example NAME=relay ARGS="--serve --listen 127.0.0.1:50061"`.
 */

import { once } from "node:events";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { createClient, type LiveStream, type MillraceClient } from "millrace";
import { oneshot, sleep } from "millrace/streams";
import { startRelay } from "./relay-server.js";
import { changeFeatures, createFeatures } from "./sample-features.js";
import { type WatchedFeatures, watchFeatures } from "./watching-client.js";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    topic: { type: "string", default: "examples/relay" },
    listen: { type: "string", default: "127.0.0.1:0" },
    serve: { type: "boolean", default: false },
    features: { type: "string", default: "20000" },
    changes: { type: "string", default: "20000" },
    "slow-ms": { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});

const { topic } = values;
const features = wholeNumber("features", values.features, 1);
const changes = wholeNumber("changes", values.changes);
const slowMs = wholeNumber("slow-ms", values["slow-ms"]);
/** The clients measure from here. */
const zurich = { latitude: 47.37, longitude: 8.54 };

/** The topic's watches in Millrace, once the fast one has everything and the slow one has not. */
async function streamsAtTheEnd(millrace: MillraceClient, signal: AbortSignal): Promise<readonly LiveStream[]> {
  const { nextOffset } = await millrace.topics.get(topic);
  for (;;) {
    const streams: LiveStream[] = [];
    for await (const stream of millrace.liveStreams({ topic, signal })) streams.push(stream);
    if (streams.some((stream) => stream.nextOffset === nextOffset && stream.waiting === "new-records")) return streams;
    await sleep(20, signal);
  }
}

async function demonstrate(millrace: MillraceClient, address: string): Promise<void> {
  await createFeatures(millrace, topic, features);
  const request = { topic, ...zurich };
  const looked = new AbortController();
  const slow = watchFeatures(address, request, {
    // Takes a message, and is then busy until the others have finished.
    pause: async () => {
      if (!looked.signal.aborted) await once(looked.signal, "abort");
      await sleep(slowMs);
    },
  });
  const upToDate = oneshot<void>();
  const fast = watchFeatures(address, request, { onUpToDate: () => upToDate.sender.send() });
  await Promise.race([upToDate.receiver.receive(), fast]);
  await changeFeatures(millrace, topic, { features, changes });
  const streams = await streamsAtTheEnd(millrace, AbortSignal.timeout(60_000));
  looked.abort();
  await millrace.topics.close(topic);
  print(streams, { fast: await fast, slow: await slow });
}

function print(
  streams: readonly LiveStream[],
  clients: { readonly fast: WatchedFeatures; readonly slow: WatchedFeatures },
): void {
  const isSame = isDeepStrictEqual(clients.fast.features, clients.slow.features);
  const watches = streams.map(({ nextOffset, lag, waiting }) => ({ nextOffset, lag, waiting }));
  const seen = Object.entries(clients).map(([name, { features: kept, messages, told }]) => ({
    name,
    messages,
    told,
    kept: kept.size,
  }));
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ watches, seen, isSame })}\n`);
    return;
  }
  process.stdout.write(`${features} features, ${changes} changes; then millrace streams shows two watches:\n`);
  for (const { nextOffset, lag, waiting } of watches) {
    process.stdout.write(`next ${nextOffset}, lag ${lag}, waits for ${waiting.replaceAll("-", " ")}\n`);
  }
  for (const { name, messages, told, kept } of seen) {
    process.stdout.write(`${name}: ${told} features in ${messages} messages, ${kept} kept\n`);
  }
  process.stdout.write(`${isSame ? "the same" : "NOT THE SAME"} in the end\n`);
}

// The window bounds the data on its way from Millrace to one client of the relay.
const millrace = createClient({ address: values.address, windowBytes: 65_535 });
const relay = await startRelay(millrace, values.listen);
try {
  if (values.serve) {
    process.stdout.write(`The relay is serving on ${relay.address}\n`);
    await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  } else await demonstrate(millrace, relay.address);
} finally {
  relay.stop();
  millrace.close();
}
