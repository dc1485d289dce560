/**
 * Prices of some symbols, published by one process and watched by others, each at its own pace: whenever a watcher is ready,
 * it gets the newest quote of each symbol. A fast one sees nearly all, a slow one few. Nothing is queued for any of them, and
 * all end with the last quote of each symbol.
 *
 * Pieces: Watch, tryJoin, forEach, interval, take, fold, lines, fromReadable.
 * RPCs: StateService.Watch; RecordService.Publish; TopicService.CreateTopic, CloseTopic and DeleteTopic.
 *
 *     make run                                                   # in another terminal
 *     make example NAME=quotes ARGS="--quotes 2000"
 *
 * It prints, with other numbers each time:
 *
 *     2000 quotes of 4 symbols
 *     fast     looked 461 times, saw 1766 quotes, and the last of each symbol
 *     slow     looked 54 times, saw 216 quotes, and the last of each symbol
 *     slowest  looked 6 times, saw 24 quotes, and the last of each symbol
 *
 * While it runs, anybody may watch too: `make -s example NAME=quotes ARGS="--watch --busy-ms 200"` prints the quotes.
 */

import { once } from "node:events";
import { parseArgs } from "node:util";
import { createClient, type MillraceClient } from "millrace";
import { fold, forEach, interval, pipe, take } from "millrace/streams";
import { type Quote, quoteNumber, type Quotes, symbols } from "./quote.js";
import { watchQuotes } from "./watch-quotes.js";
import { startWatcher, type Watcher } from "./watchers.js";
import { prepareEmptyTopic } from "../prepare-topic.js";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    topic: { type: "string", default: "examples/quotes" },
    quotes: { type: "string", default: "2000" },
    json: { type: "boolean", default: false },
    // A watcher: a process that the program starts.
    watch: { type: "boolean", default: false },
    "busy-ms": { type: "string", default: "0" },
  },
});

const { address, topic } = values;
const total = wholeNumber("quotes", values.quotes, symbols.length);
const busyMs = wholeNumber("busy-ms", values["busy-ms"]);
/** How long each watcher is busy after each look. */
const watcherBusyMs = { fast: 0, slow: 50, slowest: 500 };

/** A quote each millisecond, whoever watches. Closes the topic after the last one, so that the watchers get the end. */
async function publishQuotes(millrace: MillraceClient): Promise<void> {
  const publisher = millrace.publisher(topic);
  let number = 0;
  await pipe(
    interval(1),
    take(total),
    forEach(async () => {
      await publisher.ready();
      number += 1;
      // Failures are reported by close.
      void publisher.publish(quoteNumber(number));
    }),
  );
  await publisher.close();
  await millrace.topics.close(topic);
}

interface Seen {
  readonly name: string;
  readonly looks: number;
  readonly quotes: number;
  readonly latest: Quotes;
}

function seenBy({ name, looks }: Watcher): Promise<Seen> {
  return fold(
    looks,
    (seen: Seen, quotes) => ({
      name,
      looks: seen.looks + 1,
      quotes: seen.quotes + Object.keys(quotes).length,
      latest: { ...seen.latest, ...quotes },
    }),
    { name, looks: 0, quotes: 0, latest: {} },
  );
}

function hasLastOfEach({ latest }: Seen): boolean {
  const numbers = Object.values(latest).map(({ number }: Quote) => number);
  return numbers.length === symbols.length && numbers.every((number) => number > total - symbols.length);
}

async function run(millrace: MillraceClient): Promise<void> {
  await prepareEmptyTopic(millrace, topic, { keyed: true });
  const watchers = Object.entries(watcherBusyMs).map(([name, busy]) =>
    startWatcher(name, ["--watch", "--address", address, "--topic", topic, "--busy-ms", `${busy}`]),
  );
  try {
    await Promise.all(watchers.map(({ looks }) => looks.next()));
    const [seen] = await Promise.all([Promise.all(watchers.map(seenBy)), publishQuotes(millrace)]);
    print(seen);
    if (!seen.every(hasLastOfEach)) process.exitCode = 1;
  } finally {
    for (const watcher of watchers) watcher.kill();
  }
}

function print(seen: readonly Seen[]): void {
  if (values.json) {
    process.stdout.write(`${JSON.stringify(seen)}\n`);
    return;
  }
  process.stdout.write(`${total} quotes of ${symbols.length} symbols\n`);
  for (const each of seen) {
    const last = hasLastOfEach(each) ? "and the last of each symbol" : "AND NOT THE LAST OF EACH SYMBOL";
    process.stdout.write(`${each.name.padEnd(8)} looked ${each.looks} times, saw ${each.quotes} quotes, ${last}\n`);
  }
}

async function show(quotes: Quotes): Promise<void> {
  if (!process.stdout.write(`${JSON.stringify(quotes)}\n`)) await once(process.stdout, "drain");
}

const millrace = createClient({ address });
try {
  await (values.watch ? watchQuotes(millrace, topic, { busyMs, show }) : run(millrace));
} finally {
  millrace.close();
}
