import { Argument, Command, Option } from "commander";
import type { Position, Rectangle, WatchEvent } from "../client/index.js";
import { type CommandContext, wantsJson, withClient } from "./command-context.js";
import { printRecords, tellPosition } from "./read.js";
import { recordLine } from "./record-line.js";
import { boxOption, filterOption, limitOption } from "./selection-options.js";
import { parsePosition, positionOption } from "./start-option.js";
import { tellEvent } from "./stream-events.js";

/** `get TOPIC KEY…`: the latest record of each key. */
export function getCommand(context: CommandContext): Command {
  const { output, signal } = context;
  return new Command("get")
    .argument("<topic>")
    .argument("<key...>")
    .description("print the latest record of each key of a keyed topic")
    .action((topic: string, keys: readonly string[]) =>
      withClient(context, async (client) => {
        const isJson = wantsJson(context);
        for (const record of await client.state.getMany(topic, keys, { signal })) {
          await output.print(isJson ? JSON.stringify(record) : recordLine(record));
        }
      }),
    );
}

/** `list TOPIC [PREFIX]`: the state of a keyed topic, by key. */
export function listCommand(context: CommandContext): Command {
  const { output, signal } = context;
  return new Command("list")
    .argument("<topic>")
    .addArgument(prefixArgument())
    .description("print the latest record of each key of a keyed topic, by key")
    .addOption(boxOption())
    .addOption(filterOption())
    .option("--after <key>", "only keys above this one")
    .addOption(limitOption())
    .action(
      (
        topic: string,
        keyPrefix: string,
        options: SelectionOptions & { readonly after?: string; readonly limit?: number },
      ) =>
        withClient(context, (client) => {
          const { after: afterKey, limit, box: rectangle, filter } = options;
          const onEvent = (event: WatchEvent) => tellEvent(output, event);
          const records = client.state.list(topic, {
            keyPrefix,
            rectangle,
            filter,
            afterKey,
            limit,
            giveUpAfterMs: 10_000,
            onEvent,
            signal,
          });
          return printRecords(context, records);
        }),
    );
}

function prefixArgument(): Argument {
  return new Argument("[prefix]", "only keys that begin with this").default("");
}

interface SelectionOptions {
  readonly box?: Rectangle;
  readonly filter?: string;
}

interface WatchOptions extends SelectionOptions {
  readonly changesOnly?: true;
  readonly tombstones?: boolean;
  readonly start?: Position;
  readonly limit?: number;
  readonly position?: true;
}

/** `watch TOPIC [PREFIX]`: the state, then its changes, until interrupted. */
export function watchCommand(context: CommandContext): Command {
  const { output, signal } = context;
  return new Command("watch")
    .argument("<topic>")
    .addArgument(prefixArgument())
    .description("print the state of a keyed topic, then its changes, across lost connections, until interrupted")
    .addOption(boxOption())
    .addOption(filterOption())
    .option("--changes-only", "only changes, without the present state")
    .option("--no-tombstones", "without removed keys and keys that no longer match")
    .addOption(
      new Option("--start <position>", "EPOCH:OFFSET, the position of an earlier watch").argParser(parsePosition),
    )
    .addOption(limitOption())
    .addOption(positionOption())
    .action((topic: string, keyPrefix: string, options: WatchOptions) =>
      withClient(context, async (client) => {
        const records = client.state.watch(topic, {
          keyPrefix,
          rectangle: options.box,
          filter: options.filter,
          changesOnly: options.changesOnly,
          withoutTombstones: options.tombstones === false,
          start: options.start,
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
