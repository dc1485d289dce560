import { Command, Option } from "commander";
import type { Start, WhenBehind, WhenTrimmed } from "../client/index.js";
import { type CommandContext, withClient } from "./command-context.js";
import { printRecords, tellPosition } from "./read.js";
import { filterOption, limitOption, whenTrimmedOption } from "./selection-options.js";
import { positionOption, startOption } from "./start-option.js";
import { tellEvent } from "./stream-events.js";

interface Options {
  readonly start?: Start;
  readonly filter?: string;
  readonly limit?: number;
  readonly whenBehind?: WhenBehind;
  readonly whenTrimmed?: WhenTrimmed;
  readonly position?: true;
}

/** `follow TOPIC`: history from --start, then every new record, until interrupted. */
export function followCommand(context: CommandContext): Command {
  const { output, signal } = context;
  return new Command("follow")
    .argument("<topic>")
    .description("print every new record of a topic, across lost connections, until interrupted")
    .addOption(startOption({ initial: "latest" }))
    .addOption(filterOption())
    .addOption(limitOption())
    .addOption(
      new Option("--when-behind <policy>", "what to do when the output is too slow").choices([
        "catch-up",
        "skip",
        "fail",
      ]),
    )
    .addOption(whenTrimmedOption())
    .addOption(positionOption())
    .action((topic: string, options: Options) =>
      withClient(context, async (client) => {
        await client.topics.get(topic, { signal });
        const records = client.follow(topic, {
          start: options.start,
          whenBehind: options.whenBehind,
          whenTrimmed: options.whenTrimmed,
          filter: options.filter,
          onEvent: (event) => tellEvent(output, event),
          signal,
        });
        try {
          await printRecords(context, records, options.limit);
        } finally {
          if (options.position === true) tellPosition(context, records);
        }
      }),
    );
}
