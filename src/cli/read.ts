import { Command } from "commander";
import type { ReadOptions, RecordStream, Start, Until, WhenTrimmed } from "../client/index.js";
import { type CommandContext, wantsJson, withClient } from "./command-context.js";
import { recordLine } from "./record-line.js";
import { filterOption, limitOption, whenTrimmedOption } from "./selection-options.js";
import { positionOption, startOption, untilOption } from "./start-option.js";
import { tellEvent } from "./stream-events.js";

interface Options {
  readonly start?: Start;
  readonly until?: Until;
  readonly filter?: string;
  readonly limit?: number;
  readonly backward?: true;
  readonly whenTrimmed?: WhenTrimmed;
  readonly position?: true;
}

/** `read TOPIC`: the records of a topic, up to its end at the start of the read. */
export function readCommand(context: CommandContext): Command {
  const { output, signal } = context;
  return new Command("read")
    .argument("<topic>")
    .description("print the records of a topic, up to its present end")
    .addOption(startOption({ initial: "earliest; latest with --backward" }))
    .addOption(untilOption())
    .addOption(filterOption())
    .addOption(limitOption())
    .option("--backward", "newest first")
    .addOption(whenTrimmedOption())
    .addOption(positionOption())
    .action((topic: string, options: Options) =>
      withClient(context, async (client) => {
        const readOptions: ReadOptions = {
          start: options.start,
          until: options.until,
          limit: options.limit,
          direction: options.backward === true ? "backward" : "forward",
          whenTrimmed: options.whenTrimmed,
          filter: options.filter,
          // Short, because the user waits at the prompt.
          giveUpAfterMs: 10_000,
          onEvent: (event) => tellEvent(output, event),
          signal,
        };
        // Fails at once when there is no server, or no such topic.
        await client.topics.get(topic, { signal });
        const records = client.read(topic, readOptions);
        try {
          await printRecords(context, records);
        } finally {
          if (options.position === true) tellPosition(context, records);
        }
      }),
    );
}

/** Prints records page by page, as fast as standard output takes them. */
export async function printRecords(context: CommandContext, records: RecordStream, limit = Infinity): Promise<void> {
  const { output } = context;
  const isJson = wantsJson(context);
  let printed = 0;
  for await (const record of records) {
    await output.print(isJson ? JSON.stringify(record) : recordLine(record));
    printed += 1;
    if (printed >= limit) return;
  }
}

export function tellPosition({ output }: CommandContext, { position }: RecordStream): void {
  if (position !== undefined) output.tell(`Resume with --start ${position.epoch}:${position.offset}`);
}
