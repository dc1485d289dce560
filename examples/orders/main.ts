/**
 * Adds up orders by customer, exactly once. Workers consume a KEYED subscription, and commit each order's acknowledgement
 * and its customer's new total in one transaction. They are killed several times while they work, and the sums still agree.
 *
 * RPCs: TopicService.CreateTopic and DeleteTopic; SubscriptionService.CreateSubscription, Consume, Commit and DescribeSubscription; StateService.Get and
 * List; RecordService.Publish.
 *
 *     make run                                                   # in another terminal
 *     make example NAME=orders ARGS="--orders 1000 --kills 5"
 *
 * It prints:
 *
 *     1000 orders of 7 customers: 500500
 *     1000 totals committed by 2 workers, which were killed 5 times: 500500, and the last of each: 500500
 */

import { parseArgs } from "node:util";
import { createClient, type MillraceClient } from "millrace";
import { count, fold, map, range } from "millrace/streams";
import { amountOf, orderNumber, recordOf, totalOf } from "./order.js";
import { startWorkers, type Workers } from "./workers.js";
import { work } from "./work.js";
import { prepareEmptyTopic } from "../prepare-topic.js";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    topic: { type: "string", default: "examples/orders" },
    orders: { type: "string", default: "1000" },
    kills: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    // A worker: a process that the program starts and kills.
    work: { type: "boolean", default: false },
  },
});

const names = { orders: values.topic, totals: `${values.topic}/totals`, subscription: `${values.topic}/adding-up` };
const orders = wholeNumber("orders", values.orders, 1);
const kills = wholeNumber("kills", values.kills);
const workerCount = 2;

async function prepare(millrace: MillraceClient): Promise<void> {
  // Deleting the topic of an earlier run deletes its subscription too.
  await prepareEmptyTopic(millrace, names.orders);
  await prepareEmptyTopic(millrace, names.totals, { keyed: true });
  await millrace.subscriptions.create(names.subscription, {
    topic: names.orders,
    start: "earliest",
    sharing: "keyed",
    // A killed worker has failed at its records. That must not count against the orders.
    attemptsMax: 1000,
    retryMinMs: 0,
  });
  const publisher = millrace.publisher(names.orders);
  await publisher.publishAll(map(range(0, orders), (number) => recordOf(orderNumber(number))));
  await publisher.close();
}

/** Kills a worker after each further part of the totals. Resolves when all orders are acknowledged. */
async function harm(millrace: MillraceClient, workers: Workers): Promise<void> {
  const totals = millrace.follow(names.totals, { start: "earliest" });
  let killed = 0;
  for await (const { offset } of totals) {
    if (killed === kills) break;
    if (offset < ((killed + 1) * orders) / (kills + 1) - 1) continue;
    workers.killOne();
    killed += 1;
  }
  for await (const { lagRecords } of millrace.subscriptions.describe(names.subscription, { intervalMs: 100 })) {
    if (lagRecords === 0) return;
  }
}

interface Sum {
  readonly records: number;
  readonly amount: number;
}

function sumOf(millrace: MillraceClient, topic: string): Promise<Sum> {
  return fold(
    millrace.read(topic),
    (sum, { json }) => ({ records: sum.records + 1, amount: sum.amount + amountOf(json) }),
    { records: 0, amount: 0 },
  );
}

async function run(millrace: MillraceClient): Promise<void> {
  await prepare(millrace);
  const { address, topic } = values;
  const workers = startWorkers(workerCount, ["--work", "--address", address, "--topic", topic]);
  try {
    await harm(millrace, workers);
  } finally {
    await workers.stop();
  }
  const input = await sumOf(millrace, names.orders);
  const output = await sumOf(millrace, names.totals);
  const customers = await count(millrace.state.list(names.totals));
  const latest = await fold(millrace.state.list(names.totals), (sum, { json }) => sum + totalOf(json), 0);
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ input, output, customers, latest })}\n`);
  } else {
    process.stdout.write(`${input.records} orders of ${customers} customers: ${input.amount}\n`);
    process.stdout.write(
      `${output.records} totals committed by ${workerCount} workers, which were killed ${kills} times: `,
    );
    process.stdout.write(`${output.amount}, and the last of each: ${latest}\n`);
  }
  if (output.amount !== input.amount || latest !== input.amount) process.exitCode = 1;
}

const millrace = createClient({ address: values.address });
try {
  await (values.work ? work(millrace, names) : run(millrace));
} finally {
  millrace.close();
}
