import { Command } from "commander";
import type { Topic } from "../client/index.js";
import { durationOption, sizeOption } from "./amount-options.js";
import { waitForState } from "./build-progress.js";
import { type CommandContext, wantsJson, wholeNumberOption, withClient } from "./command-context.js";
import { labelOption } from "./label-option.js";
import { CommandError } from "./output.js";
import { visible } from "./record-line.js";

interface SettingOptions {
  readonly label?: ReadonlyMap<string, string>;
  readonly recordBytes?: number;
  readonly batchRecords?: number;
  readonly batchBytes?: number;
  readonly retainAge?: number;
  readonly retainRecords?: number;
  readonly retainBytes?: number;
}

interface UpdateOptions extends SettingOptions {
  readonly keyed?: true;
  readonly wait: boolean;
}

interface EpochOption {
  readonly epoch?: number;
}

/** `topic …`: one subcommand for each method of TopicService. */
export function topicCommand(context: CommandContext): Command {
  const { signal } = context;
  const topic = new Command("topic").description("create, describe, change and remove topics");
  topic.addCommand(
    withSettings(new Command("create").argument("<topic>"))
      .option("--keyed", "keep the latest record of each key, for get, list and watch")
      .description("create a topic")
      .action((name: string, options: SettingOptions & { readonly keyed?: boolean }) =>
        withClient(context, async (client) => {
          const settings = { ...settingsOf(options), keyed: options.keyed ?? false, signal };
          await show(context, await client.topics.create(name, settings));
        }),
      ),
  );
  topic.addCommand(
    new Command("get")
      .argument("<topic>")
      .description("describe a topic")
      .action((name: string) =>
        withClient(context, async (client) => show(context, await client.topics.get(name, { signal }))),
      ),
  );
  topic.addCommand(
    new Command("list")
      .argument("[prefix]", "only topics whose names begin with this", "")
      .description("list topics by name")
      .action((prefix: string) =>
        withClient(context, async (client) => {
          for await (const each of client.topics.list({ prefix, signal })) await show(context, each);
        }),
      ),
  );
  topic.addCommand(
    withSettings(new Command("update").argument("<topic>"))
      .option("--keyed", "keep the latest record of each key, from present and future records")
      .option("--no-wait", "with --keyed: do not wait until the state is complete")
      .description("change the labels (replaces all), limits and retention; make a topic keyed")
      .action((name: string, { wait, ...options }: UpdateOptions) => {
        if (Object.keys(options).length === 0) {
          throw new CommandError(
            "topic update: give a change, with --label, --record-bytes, --batch-records, --batch-bytes, --retain-age, --retain-records, --retain-bytes or --keyed",
            2,
          );
        }
        return withClient(context, async (client) => {
          const settings = { ...settingsOf(options), keyed: options.keyed, signal };
          const updated = await client.topics.update(name, settings);
          const { output } = context;
          await show(context, wait ? await waitForState(updated, { client, output, signal }) : updated);
        });
      }),
  );
  topic.addCommand(
    withEpoch(new Command("trim").argument("<topic>"))
      .requiredOption("--before <offset>", "delete the records below this offset", wholeNumberOption("--before"))
      .description("delete the oldest records")
      .action((name: string, options: EpochOption & { readonly before: number }) =>
        withClient(context, async (client) =>
          show(context, await client.topics.trim(name, options.before, { epoch: options.epoch, signal })),
        ),
      ),
  );
  topic.addCommand(
    new Command("close")
      .argument("<topic>")
      .description("close a topic: nothing more can be appended, and followers end after the last record")
      .action((name: string) =>
        withClient(context, async (client) => show(context, await client.topics.close(name, { signal }))),
      ),
  );
  topic.addCommand(
    withEpoch(new Command("delete").argument("<topic>"))
      .description("delete a topic with its records")
      .action((name: string, options: EpochOption) =>
        withClient(context, (client) => client.topics.delete(name, { epoch: options.epoch, signal })),
      ),
  );
  return topic;
}

function withSettings(command: Command): Command {
  return command
    .addOption(labelOption("topic"))
    .option("--record-bytes <n>", "largest record; 0: the node's setting", wholeNumberOption("--record-bytes"))
    .option(
      "--batch-records <n>",
      "largest batch in records; 0: the node's setting",
      wholeNumberOption("--batch-records"),
    )
    .option("--batch-bytes <n>", "largest batch in bytes; 0: the node's setting", wholeNumberOption("--batch-bytes"))
    .option(
      "--retain-age <duration>",
      "greatest age of a record, such as 90s or 7d; 0: the node's default",
      durationOption("--retain-age"),
    )
    .option(
      "--retain-records <n>",
      "most records to keep; 0: the node's default",
      wholeNumberOption("--retain-records"),
    )
    .option(
      "--retain-bytes <size>",
      "most bytes to keep, such as 10GiB; 0: the node's default",
      sizeOption("--retain-bytes"),
    );
}

function withEpoch(command: Command): Command {
  return command.option("--epoch <n>", "only this incarnation of the topic", wholeNumberOption("--epoch"));
}

function settingsOf(options: SettingOptions) {
  const { label, recordBytes, batchRecords, batchBytes, retainAge, retainRecords, retainBytes } = options;
  return {
    labels: label,
    limits: { recordBytes, batchRecords, batchBytes },
    retention: { ageMs: retainAge, records: retainRecords, bytes: retainBytes },
  };
}

async function show(context: CommandContext, topic: Topic): Promise<void> {
  await context.output.print(wantsJson(context) ? JSON.stringify(topic) : topicLine(topic));
}

function topicLine(topic: Topic): string {
  const parts = [
    topic.name,
    `offsets ${topic.earliestOffset} to ${topic.nextOffset}`,
    `${topic.bytes} bytes`,
    `epoch ${topic.epoch}`,
  ];
  if (topic.lastTime !== undefined) parts.push(`last ${topic.lastTime.toISOString()}`);
  const { ageMs, records, bytes } = topic.retention;
  if (ageMs > 0) parts.push(`keeps ${ageMs / 1000} s`);
  if (records > 0) parts.push(`keeps ${records} records`);
  if (bytes > 0) parts.push(`keeps ${bytes} bytes`);
  if (topic.isClosed) parts.push("closed");
  if (topic.isKeyed) parts.push("keyed");
  if (topic.stateBuild !== undefined) {
    const { fromOffset, nextOffset, untilOffset } = topic.stateBuild;
    parts.push(`state ${fromOffset - nextOffset} of ${fromOffset - untilOffset} records`);
  }
  for (const [name, value] of topic.labels) parts.push(visible(`${name}=${value}`));
  return parts.join("  ");
}
