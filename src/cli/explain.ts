import { Command, Option } from "commander";
import type { FilteredMethod, FilterExplanation, Rectangle } from "../client/index.js";
import { type CommandContext, wantsJson, withClient } from "./command-context.js";
import { boxOption } from "./selection-options.js";

interface Options {
  readonly for?: FilteredMethod;
  readonly box?: Rectangle;
  readonly prefix?: string;
}

/** `explain TOPIC FILTER`: how a filter would be evaluated. */
export function explainCommand(context: CommandContext): Command {
  const { output, signal } = context;
  return new Command("explain")
    .argument("<topic>")
    .argument("<filter>", "a CEL expression: docs/filters.md")
    .description("show which parts of a filter the database answers, with which indexes, and which the node evaluates")
    .addOption(
      new Option("--for <call>", "the call that takes the filter (default: read)").choices([
        "read",
        "follow",
        "list",
        "watch",
      ]),
    )
    .addOption(boxOption())
    .option("--prefix <prefix>", "the prefix of keys, as list and watch take it")
    .action((topic: string, filter: string, options: Options) =>
      withClient(context, async (client) => {
        const { for: method, box: rectangle, prefix: keyPrefix } = options;
        const explained = await client.explainFilter(topic, filter, { method, rectangle, keyPrefix, signal });
        if (wantsJson(context)) await output.print(JSON.stringify(explained));
        else for (const line of linesOf(explained)) await output.print(line);
      }),
    );
}

const placeNames = {
  database: "database",
  "database-then-node": "database, then node",
  node: "node",
} as const;

function* linesOf({ parts, indexes, plan, cost }: FilterExplanation): Generator<string> {
  for (const { expression, place, reason } of parts) yield `${placeNames[place]}: ${expression}  (${reason})`;
  yield `cost: at most ${cost} steps per record`;
  yield `indexes: ${indexes.length === 0 ? "none" : indexes.join(", ")}`;
  yield "plan:";
  for (const line of plan.split("\n")) yield `  ${line}`;
}
