/**
 * Three programs log, and one pipeline collects: a fair merge of their topics keeps WARNING and worse, adds the environment,
 * makes batches of 100 or of half a second, and passes them to three sinks. The third is stalled on purpose: it is
 * disconnected when its two places are taken, and the others continue.
 *
 * Pieces: interval, take, merge, filterMap, filter, map, batch, fanOut, forEach, toWritable, join.
 * RPCs: TopicService.CreateTopic, CloseTopic and DeleteTopic; RecordService.Publish, Follow and Append.
 *
 *     make run                                                   # in another terminal
 *     make example NAME=logs ARGS="--seconds 3 --file warnings.ndjson"
 *
 * It prints:
 *
 *     105 entries published, 63 of them WARNING or worse
 *     alerts   6 batches, 0 dropped, finished
 *     file     6 batches, 0 dropped, finished
 *     stalled  1 batches, 0 dropped, disconnected
 */

import { createWriteStream } from "node:fs";
import { parseArgs } from "node:util";
import { createClient, type MillraceClient } from "millrace";
import {
  abortable,
  batch,
  fanOut,
  filter,
  filterMap,
  forEach,
  join,
  map,
  merge,
  pipe,
  toWritable,
} from "millrace/streams";
import { entryOf, isAtLeast, type LogEntry, recordOf } from "./log-entry.js";
import { type LogSource, publishLogs } from "./log-source.js";
import { prepareEmptyTopic } from "../prepare-topic.js";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    prefix: { type: "string", default: "examples/logs" },
    seconds: { type: "string", default: "5" },
    file: { type: "string", default: "warnings.ndjson" },
    environment: { type: "string", default: "production" },
    json: { type: "boolean", default: false },
  },
});

const sources: readonly LogSource[] = [
  { name: "app", topic: `${values.prefix}/app`, everyMs: 100 },
  { name: "web", topic: `${values.prefix}/web`, everyMs: 50 },
  { name: "db", topic: `${values.prefix}/db`, everyMs: 200 },
];
const alerts = `${values.prefix}/alerts`;

/** The number of entries that all programs published until they were stopped. */
async function publishAll(millrace: MillraceClient, stopped: AbortSignal): Promise<number> {
  const published = await join(
    sources.map((source) => () => {
      const entries = Math.round((wholeNumber("seconds", values.seconds, 1) * 1000) / source.everyMs);
      return publishLogs(millrace, source, { entries, stopped });
    }),
  );
  return published.reduce((sum, result) => {
    if (!result.ok) throw result.error;
    return sum + result.value;
  }, 0);
}

/** Warnings and worse of all topics, tagged, in batches. Ends with the rest when all topics are closed. */
function collectWarnings(millrace: MillraceClient) {
  return pipe(
    merge(sources.map(({ topic }) => millrace.follow(topic, { start: "earliest" }))),
    filterMap((record) => entryOf(record.json)),
    filter((entry) => isAtLeast("WARNING", entry)),
    map((entry): LogEntry => ({ ...entry, metadata: { ...entry.metadata, environment: values.environment } })),
    batch({ maxItems: 100, maxWaitMs: 500 }),
  );
}

async function main(): Promise<void> {
  const millrace = createClient({ address: values.address });
  const stopped = new AbortController();
  process.once("SIGINT", () => stopped.abort());
  try {
    for (const topic of [...sources.map((source) => source.topic), alerts]) await prepareEmptyTopic(millrace, topic);
    const file = createWriteStream(values.file);
    const allPublished = new AbortController();
    const [published, sinks] = await Promise.all([
      publishAll(millrace, stopped.signal).finally(() => allPublished.abort()),
      fanOut(collectWarnings(millrace), {
        alerts: {
          policy: "wait",
          capacity: 2,
          sink: forEach(async (entries) => {
            await millrace.append(alerts, entries.map(recordOf));
          }),
        },
        file: {
          policy: "drop-oldest",
          capacity: 10,
          sink: (batches) =>
            toWritable(
              map(batches, (entries) => entries.map(lineOf).join("")),
              file,
            ),
        },
        stalled: {
          policy: "disconnect",
          capacity: 2,
          // Takes a batch, and is busy with it as long as the programs run.
          sink: async (batches, signal) => {
            await batches.next();
            const ended = AbortSignal.any([signal, allPublished.signal]);
            await abortable(new Promise(() => undefined), ended).catch(() => undefined);
          },
        },
      }),
    ]);
    const { nextOffset } = await millrace.topics.get(alerts);
    print({ published, alerts: nextOffset, sinks });
  } finally {
    millrace.close();
  }
}

const lineOf = (entry: LogEntry): string => `${JSON.stringify(entry)}\n`;

interface Report {
  readonly published: number;
  readonly alerts: number;
  readonly sinks: Readonly<
    Record<string, { readonly delivered: number; readonly dropped: number; readonly outcome: string }>
  >;
}

function print({ published, alerts: kept, sinks }: Report): void {
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ published, alerts: kept, sinks })}\n`);
    return;
  }
  process.stdout.write(`${published} entries published, ${kept} of them WARNING or worse\n`);
  for (const [name, { delivered, dropped, outcome }] of Object.entries(sinks)) {
    process.stdout.write(`${name.padEnd(8)} ${delivered} batches, ${dropped} dropped, ${outcome}\n`);
  }
}

await main();
