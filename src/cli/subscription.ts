import { Command, Option } from "commander";
import type { Start, Subscription } from "../client/index.js";
import { durationOption } from "./amount-options.js";
import { type CommandContext, wantsJson, wholeNumberOption, withClient } from "./command-context.js";
import { labelOption } from "./label-option.js";
import { CommandError } from "./output.js";
import { visible } from "./record-line.js";
import { limitOption } from "./selection-options.js";
import { parseStart, startForms } from "./start-option.js";
import { printReports } from "./subscription-report.js";

interface SettingOptions {
  readonly ackDeadline?: number;
  readonly attempts?: number;
  readonly retryMin?: number;
  readonly retryMax?: number;
  readonly retryBacklog?: number;
  readonly label?: ReadonlyMap<string, string>;
}

interface CreateOptions extends SettingOptions {
  readonly topic: string;
  readonly start?: Start;
  readonly sharing?: Subscription["sharing"];
}

interface DescribeOptions {
  readonly interval?: number;
  readonly limit?: number;
  readonly once?: true;
}

/** `subscription …`: one subcommand for each method of SubscriptionService that is about a whole subscription. */
export function subscriptionCommand(context: CommandContext): Command {
  const { signal } = context;
  const subscription = new Command("subscription").description("create, describe, change and remove subscriptions");
  subscription.addCommand(
    withSettings(new Command("create").argument("<subscription>"), "subscription")
      .requiredOption("--topic <topic>", "the topic that it consumes")
      .option("--start <start>", `${startForms} (default: latest)`, parseStart)
      .addOption(
        new Option("--sharing <way>", "how consumers share the records (default: shared)").choices([
          "shared",
          "exclusive",
          "keyed",
        ]),
      )
      .description("create a subscription of a topic")
      .action((name: string, options: CreateOptions) =>
        withClient(context, async (client) => {
          const { topic, start, sharing } = options;
          const settings = { topic, start, sharing, ...settingsOf(options), signal };
          await show(context, await client.subscriptions.create(name, settings));
        }),
      ),
  );
  subscription.addCommand(
    new Command("get")
      .argument("<subscription>")
      .description("print the settings of a subscription; describe prints its progress")
      .action((name: string) =>
        withClient(context, async (client) => show(context, await client.subscriptions.get(name, { signal }))),
      ),
  );
  subscription.addCommand(
    new Command("list")
      .argument("[prefix]", "only subscriptions whose names begin with this", "")
      .option("--topic <topic>", "only subscriptions of this topic")
      .description("list subscriptions by name")
      .action((prefix: string, { topic }: { readonly topic?: string }) =>
        withClient(context, async (client) => {
          for await (const each of client.subscriptions.list({ prefix, topic, signal })) {
            await show(context, each);
          }
        }),
      ),
  );
  subscription.addCommand(
    withSettings(new Command("update").argument("<subscription>"), "subscription")
      .description("change the labels (replaces all), the deadline, and the redelivery of failed records")
      .action((name: string, options: SettingOptions) => {
        if (Object.keys(options).length === 0) {
          throw new CommandError(
            "subscription update: give a change, with --label, --ack-deadline, --attempts, --retry-min, --retry-max or --retry-backlog",
            2,
          );
        }
        return withClient(context, async (client) =>
          show(context, await client.subscriptions.update(name, { ...settingsOf(options), signal })),
        );
      }),
  );
  subscription.addCommand(
    new Command("delete")
      .argument("<subscription>")
      .description("delete a subscription with its parked records; the topic does not change")
      .action((name: string) => withClient(context, (client) => client.subscriptions.delete(name, { signal }))),
  );
  subscription.addCommand(
    new Command("pause")
      .argument("<subscription>")
      .description("stop deliveries; delivered records can still be acknowledged")
      .action((name: string) =>
        withClient(context, async (client) => show(context, await client.subscriptions.pause(name, { signal }))),
      ),
  );
  subscription.addCommand(
    new Command("resume")
      .argument("<subscription>")
      .description("continue after pause")
      .action((name: string) =>
        withClient(context, async (client) => show(context, await client.subscriptions.resume(name, { signal }))),
      ),
  );
  subscription.addCommand(
    new Command("seek")
      .argument("<subscription>")
      .requiredOption("--start <start>", startForms, parseStart)
      .description("move the cursor: acknowledged records above it are redelivered; parked records stay")
      .action((name: string, { start }: { readonly start: Start }) =>
        withClient(context, async (client) => {
          const sought = await client.subscriptions.seek(name, start, { signal });
          const { epoch, offset } = sought.cursor;
          await show(context, sought.subscription, {
            json: { cursor: { epoch: String(epoch), offset: String(offset) } },
            text: `cursor ${offset}`,
          });
        }),
      ),
  );
  subscription.addCommand(
    new Command("describe")
      .argument("<subscription>")
      .option(
        "--interval <duration>",
        "time between reports, from 100ms to 1h (default: 1s)",
        durationOption("--interval"),
      )
      .addOption(limitOption("reports"))
      .option("--once", "one report: --limit 1")
      .description("print the progress and the consumers of a subscription repeatedly, until interrupted")
      .action((name: string, { interval: intervalMs, limit, once }: DescribeOptions) =>
        withClient(context, (client) => {
          const options = { intervalMs, limit: once === true ? 1 : limit, signal };
          return printReports(context, client.subscriptions.describe(name, options));
        }),
      ),
  );
  return subscription;
}

function withSettings(command: Command, what: string): Command {
  return command
    .option(
      "--ack-deadline <duration>",
      "how long a consumer has for a record unless it extends the deadline, from 1s to 12h (default: 30s)",
      durationOption("--ack-deadline"),
    )
    .option(
      "--attempts <n>",
      "how often a record may fail before it is parked, from 1 to 1000 (default: 5)",
      wholeNumberOption("--attempts", 1),
    )
    .option(
      "--retry-min <duration>",
      "the wait before the first redelivery of a failed record; doubles each time (default: 1s)",
      durationOption("--retry-min"),
    )
    .option(
      "--retry-max <duration>",
      "the longest wait before a redelivery (default: 60s)",
      durationOption("--retry-max"),
    )
    .option(
      "--retry-backlog <n>",
      "how many records may wait for redelivery; while full, no new ones are delivered (default: 10000)",
      wholeNumberOption("--retry-backlog", 1),
    )
    .addOption(labelOption(what));
}

function settingsOf(options: SettingOptions) {
  const { ackDeadline, attempts, retryMin, retryMax, retryBacklog, label } = options;
  return {
    ackDeadlineMs: ackDeadline,
    attemptsMax: attempts,
    retryMinMs: retryMin,
    retryMaxMs: retryMax,
    retryBacklog,
    labels: label,
  };
}

/** Output in addition to the subscription. */
interface Addition {
  readonly json: object;
  readonly text: string;
}

async function show(context: CommandContext, subscription: Subscription, addition?: Addition): Promise<void> {
  const { output } = context;
  if (wantsJson(context)) {
    await output.print(JSON.stringify({ ...subscription.toJSON(), ...addition?.json }));
  } else await output.print([subscriptionLine(subscription), addition?.text].filter(Boolean).join("  "));
}

function subscriptionLine(subscription: Subscription): string {
  const { name, topic, sharing, ackDeadlineMs, attemptsMax, retryMinMs, retryMaxMs } = subscription;
  const parts = [
    name,
    `of ${topic}`,
    sharing,
    `${ackDeadlineMs / 1000} s per record`,
    `${attemptsMax} attempts, ${retryMinMs / 1000} to ${retryMaxMs / 1000} s apart`,
  ];
  if (subscription.isPaused) parts.push("paused");
  for (const [label, value] of subscription.labels) parts.push(visible(`${label}=${value}`));
  return parts.join("  ");
}
