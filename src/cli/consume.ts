import { Command } from "commander";
import type { Consumption, Delivery, DeliveryBatch, ReceivedRecord } from "../client/index.js";
import { sizeOption } from "./amount-options.js";
import { type CommandContext, wantsJson, wholeNumberOption, withClient } from "./command-context.js";
import { type ConsumeCommandOptions, readConsumeTask } from "./consume-options.js";
import { createCommandRunner, parkCode, type RecordCommand, type Verdict } from "./record-command.js";
import { recordLine } from "./record-line.js";
import { limitOption } from "./selection-options.js";
import { startOption } from "./start-option.js";
import { tellEvent } from "./stream-events.js";

/** `consume SUBSCRIPTION`: prints records and acknowledges them, or lets a command decide. */
export function consumeCommand(context: CommandContext): Command {
  const { output, signal } = context;
  return new Command("consume")
    .argument("[subscription]")
    .argument("[command...]", "after --exec --: the command and its arguments")
    .description("print records of a subscription and acknowledge them, or run a command for each, until interrupted")
    .option("--topic <topic>", "consume this topic without a subscription; nothing is stored")
    .addOption(startOption({ only: "with --topic", initial: "latest" }))
    .option(
      "--exec [command line]",
      "run this for each record, with its JSON on standard input; sets MILLRACE_OFFSET, MILLRACE_KEY and MILLRACE_ATTEMPT. " +
        `Exit code 0 acknowledges, ${parkCode} parks, any other rejects: the record is redelivered`,
    )
    .option(
      "--concurrency <n>",
      "with --exec: how many commands at once (default: 1)",
      wholeNumberOption("--concurrency", 1),
    )
    .option("--window <n>", "records that may be outstanding (default: 1000)", wholeNumberOption("--window", 1))
    .option("--window-bytes <size>", "bytes that may be outstanding (default: 4MiB)", sizeOption("--window-bytes"))
    .addOption(limitOption())
    .option("--consumer <name>", "the consumer's name in describe (default: its address)")
    .action((subscription: string | undefined, words: readonly string[], options: ConsumeCommandOptions) => {
      const { target, run, window } = readConsumeTask(
        subscription === undefined ? [] : [subscription, ...words],
        options,
      );
      return withClient(context, async (client) => {
        // Fails at once when there is no server, or no subscription or topic of that name.
        if (typeof target === "string") await client.subscriptions.get(target, { signal });
        else await client.topics.get(target.topic, { signal });
        const consumption = client.consume(target, {
          window,
          consumer: options.consumer,
          onEvent: (event) => tellEvent(output, event),
        });
        await untilInterrupted(consumption, signal, () =>
          run === undefined
            ? printDeliveries(context, consumption, options.limit)
            : runForDeliveries(context, consumption, { run, ...options }),
        );
      });
    });
}

/** Works until the signal aborts. Deliveries in hand are then finished, and the other records released. */
async function untilInterrupted(
  consumption: Consumption,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  const stop = () => void consumption.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await work();
  } finally {
    signal.removeEventListener("abort", stop);
  }
  signal.throwIfAborted();
}

/** Acknowledges records that standard output took, and releases the others: they have not failed. */
async function printDeliveries(
  context: CommandContext,
  consumption: Consumption,
  limit: number | undefined,
): Promise<void> {
  const { output } = context;
  const isJson = wantsJson(context);
  const print = async (delivery: Delivery | DeliveryBatch, records: readonly ReceivedRecord[]) => {
    try {
      for (const record of records) await output.print(isJson ? JSON.stringify(record) : recordLine(record));
      await output.written();
    } catch (error) {
      void delivery.release();
      throw error;
    }
    void delivery.acknowledge();
  };
  if (limit === undefined) {
    for await (const batch of consumption.batches()) await print(batch, batch.records);
    return;
  }
  let printed = 0;
  for await (const delivery of consumption) {
    await print(delivery, [delivery.record]);
    printed += 1;
    if (printed === limit) break;
  }
}

interface RunOptions {
  readonly run: RecordCommand;
  readonly concurrency?: number;
  readonly limit?: number;
}

/** Runs a command for each record. Reports each failure, and the counts at the end. */
async function runForDeliveries(
  { output }: CommandContext,
  consumption: Consumption,
  { run, concurrency = 1, limit = Infinity }: RunOptions,
): Promise<void> {
  const runner = createCommandRunner(run);
  const counts = { acknowledge: 0, reject: 0, park: 0 };
  let begun = 0;
  let failure: unknown;
  const decide = async (delivery: Delivery): Promise<void> => {
    if (begun === limit || failure !== undefined) {
      void delivery.release();
      return;
    }
    begun += 1;
    if (begun === limit) void consumption.stop();
    const { record, offset, attempt, signal } = delivery;
    try {
      const verdict = await runner.run({ line: JSON.stringify(record), offset, key: record.key, attempt }, signal);
      if (signal.aborted) output.tell(`Offset ${offset}: no longer this consumer's; it is redelivered`);
      else {
        settle(delivery, verdict);
        counts[verdict.kind] += 1;
        if (verdict.kind !== "acknowledge") output.tell(failureText(delivery, verdict));
      }
    } catch (error) {
      // The command could not start, so the record has not failed: another consumer may be able to run it.
      void delivery.release();
      failure ??= error;
      void consumption.stop();
    }
  };
  try {
    await consumption.forEach(decide, { concurrency });
  } finally {
    runner.close();
  }
  if (failure !== undefined) throw failure;
  output.tell(`${counts.acknowledge} acknowledged, ${counts.reject} rejected, ${counts.park} parked`);
}

function settle(delivery: Delivery, verdict: Verdict): void {
  switch (verdict.kind) {
    case "acknowledge":
      void delivery.acknowledge();
      return;
    case "reject":
      void delivery.reject({ reason: verdict.reason });
      return;
    case "park":
      void delivery.park(verdict.reason);
      return;
    default:
      throw verdict satisfies never;
  }
}

function failureText({ offset, attempt }: Delivery, verdict: Exclude<Verdict, { kind: "acknowledge" }>): string {
  return `Offset ${offset}, attempt ${attempt}: ${verdict.kind === "park" ? "parked: " : ""}${verdict.reason}`;
}
