import { Command, Option } from "commander";
import type { ParkedRecord } from "../client/index.js";
import { type CommandContext, wantsJson, wholeNumberOption, withClient } from "./command-context.js";
import { parseOffsets } from "./offsets-option.js";
import { CommandError } from "./output.js";
import { withParkedProgress } from "./parked-progress.js";
import { recordLine, visible } from "./record-line.js";
import { filterOption, limitOption } from "./selection-options.js";

interface SelectionOptions {
  readonly offsets?: ReturnType<typeof parseOffsets>;
  readonly filter?: string;
}

/** `parked …`: the parked records of a subscription. */
export function parkedCommand(context: CommandContext): Command {
  const { output, signal } = context;
  const parked = new Command("parked").description("show parked records, redeliver them, or delete them");
  parked.addCommand(
    new Command("list")
      .argument("<subscription>")
      .addOption(filterOption())
      .addOption(limitOption())
      .description("print parked records with their reasons, by offset")
      .action((name: string, options: { readonly filter?: string; readonly limit?: number }) =>
        withClient(context, async (client) => {
          const { filter, limit = Infinity } = options;
          let printed = 0;
          for await (const each of client.subscriptions.parked.list(name, { filter, signal })) {
            await show(context, each);
            printed += 1;
            if (printed >= limit) return;
          }
        }),
      ),
  );
  parked.addCommand(
    new Command("get")
      .argument("<subscription>")
      .argument("<offset>", "the record's offset", wholeNumberOption("offset"))
      .description("print one parked record with its reasons")
      .action((name: string, offset: number) =>
        withClient(context, async (client) =>
          show(context, await client.subscriptions.parked.get(name, offset, { signal })),
        ),
      ),
  );
  parked.addCommand(
    withSelection(new Command("redrive").argument("<subscription>"))
      .addOption(new Option("--rate <n>", "records per second (default: all at once)").argParser(parseRate))
      .description("redeliver parked records, with the full number of attempts; the cursor does not move")
      .action((name: string, options: SelectionOptions & { readonly rate?: number }) =>
        withClient(context, async (client) => {
          const { offsets, filter, rate } = options;
          const redrive = () => client.subscriptions.parked.redrive(name, { offsets, filter, rate, signal });
          const records = await withParkedProgress({ client, output, signal }, name, redrive);
          await output.print(wantsJson(context) ? JSON.stringify({ records }) : `${records} records redriven`);
        }),
      ),
  );
  parked.addCommand(
    withSelection(new Command("discard").argument("<subscription>"))
      .option("--all", "all parked records")
      .description("delete parked records for good")
      .action((name: string, options: SelectionOptions & { readonly all?: true }) => {
        const { offsets, filter, all } = options;
        // A discard is final: a forgotten option must not mean all records.
        if ((all === true) === (offsets !== undefined || filter !== undefined)) {
          throw new CommandError("parked discard: give --offsets or --filter, or --all", 2);
        }
        return withClient(context, async (client) => {
          const discard = () => client.subscriptions.parked.discard(name, { offsets, filter, signal });
          const records = await withParkedProgress({ client, output, signal }, name, discard);
          await output.print(wantsJson(context) ? JSON.stringify({ records }) : `${records} records discarded`);
        });
      }),
  );
  return parked;
}

function withSelection(command: Command): Command {
  return command
    .addOption(new Option("--offsets <a..b,c>", "only these offsets and inclusive ranges").argParser(parseOffsets))
    .addOption(filterOption());
}

function parseRate(text: string): number {
  const rate = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (rate > 0) return rate;
  throw new CommandError(`--rate: must be a number above 0, got ${JSON.stringify(text)}`, 2);
}

async function show(context: CommandContext, parked: ParkedRecord): Promise<void> {
  const { output } = context;
  if (wantsJson(context)) {
    await output.print(JSON.stringify(parked));
    return;
  }
  await output.print(recordLine(parked.record));
  const { attempts, parkTime, reasons } = parked;
  await output.print(
    `          parked ${parkTime.toISOString()} after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`,
  );
  for (const reason of reasons) await output.print(`          ${visible(reason)}`);
}
