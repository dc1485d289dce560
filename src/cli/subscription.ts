import { Command, Option } from "commander";
import type { Start, Subscription } from "../client/index.js";
import { durationOption } from "./amount-options.js";
import { type CommandContext, wantsJson, withClient } from "./command-context.js";
import { CommandError } from "./output.js";
import { visible } from "./record-line.js";
import { limitOption } from "./selection-options.js";
import { startOption } from "./start-option.js";
import { printReports } from "./subscription-report.js";
import {
  type SubscriptionSettingOptions,
  subscriptionSettings,
  withSubscriptionSettings,
} from "./subscription-settings.js";

interface CreateOptions extends SubscriptionSettingOptions {
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
  const subscription = new Command("subscription").description("create, describe, change and remove subscriptions");
  for (const create of subcommands) subscription.addCommand(create(context));
  return subscription;
}

function createCommand(context: CommandContext): Command {
  const { signal } = context;
  return withSubscriptionSettings(new Command("create").argument("<subscription>"))
    .requiredOption("--topic <topic>", "the topic that it consumes")
    .addOption(startOption({ initial: "latest" }))
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
        const settings = { topic, start, sharing, ...subscriptionSettings(options), signal };
        await show(context, await client.subscriptions.create(name, settings));
      }),
    );
}

function getCommand(context: CommandContext): Command {
  const { signal } = context;
  return new Command("get")
    .argument("<subscription>")
    .description("print the settings of a subscription; describe prints its progress")
    .action((name: string) =>
      withClient(context, async (client) => show(context, await client.subscriptions.get(name, { signal }))),
    );
}

function listCommand(context: CommandContext): Command {
  const { signal } = context;
  return new Command("list")
    .argument("[prefix]", "only subscriptions whose names begin with this", "")
    .option("--topic <topic>", "only subscriptions of this topic")
    .description("list subscriptions by name")
    .action((prefix: string, { topic }: { readonly topic?: string }) =>
      withClient(context, async (client) => {
        for await (const each of client.subscriptions.list({ prefix, topic, signal })) {
          await show(context, each);
        }
      }),
    );
}

function updateCommand(context: CommandContext): Command {
  const { signal } = context;
  return withSubscriptionSettings(new Command("update").argument("<subscription>"))
    .description("change the labels (replaces all), the deadline, and the redelivery of failed records")
    .action((name: string, options: SubscriptionSettingOptions) => {
      if (Object.keys(options).length === 0) {
        throw new CommandError(
          "subscription update: give a change, with --label, --ack-deadline, --attempts, --retry-min, --retry-max or --retry-backlog",
          2,
        );
      }
      return withClient(context, async (client) =>
        show(context, await client.subscriptions.update(name, { ...subscriptionSettings(options), signal })),
      );
    });
}

function deleteCommand(context: CommandContext): Command {
  const { signal } = context;
  return new Command("delete")
    .argument("<subscription>")
    .description("delete a subscription with its parked records; the topic does not change")
    .action((name: string) => withClient(context, (client) => client.subscriptions.delete(name, { signal })));
}

function pauseCommand(context: CommandContext): Command {
  const { signal } = context;
  return new Command("pause")
    .argument("<subscription>")
    .description("stop deliveries; delivered records can still be acknowledged")
    .action((name: string) =>
      withClient(context, async (client) => show(context, await client.subscriptions.pause(name, { signal }))),
    );
}

function resumeCommand(context: CommandContext): Command {
  const { signal } = context;
  return new Command("resume")
    .argument("<subscription>")
    .description("continue after pause")
    .action((name: string) =>
      withClient(context, async (client) => show(context, await client.subscriptions.resume(name, { signal }))),
    );
}

function seekCommand(context: CommandContext): Command {
  const { signal } = context;
  return new Command("seek")
    .argument("<subscription>")
    .addOption(startOption().makeOptionMandatory())
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
    );
}

function describeCommand(context: CommandContext): Command {
  const { signal } = context;
  return new Command("describe")
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
    );
}

/** In the order of the help. */
const subcommands = [
  createCommand,
  getCommand,
  listCommand,
  updateCommand,
  deleteCommand,
  pauseCommand,
  resumeCommand,
  seekCommand,
  describeCommand,
] as const;

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
