import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { Command } from "commander";
import type { MillraceClient, ReceivedRecord, Topic } from "../client/index.js";
import { textFromRecords } from "../files/index.js";
import { forEach, type Stream, tap, toWritable, withSignal } from "../streams/index.js";
import { type CommandContext, listOption, wantsJson, withClient } from "./command-context.js";
import { checkExportOptions, type ExportOptions, isOfState } from "./export-options.js";
import { formatOption } from "./file-options.js";
import { CommandError, type Output } from "./output.js";
import { showTransfer } from "./progress.js";
import { boxOption, filterOption, limitOption } from "./selection-options.js";
import { startOption, untilOption } from "./start-option.js";
import { type TellableEvent, tellEvent } from "./stream-events.js";

interface Tally {
  /** The progress of the bar; here it counts records. */
  bytesRead: number;
  records: number;
  /** Of a CSV file: records with fields that have no column, because the first records have none of them. */
  leftInBody: number;
}

/** What to export, and what happens meanwhile. */
interface ReadOptions extends ExportOptions {
  readonly onEvent: (event: TellableEvent) => void;
  readonly signal: AbortSignal;
}

/** `export TOPIC [FILE]`: a topic's state, or its log, as a file. */
export function exportCommand(context: CommandContext): Command {
  return new Command("export")
    .argument("<topic>")
    .argument("[file]", "the file to write; - or none: standard output")
    .description("export a topic as GeoJSON, CSV or NDJSON: the state of a keyed topic, otherwise the log")
    .addOption(formatOption())
    .option(
      "--columns <names>",
      "CSV: columns for other programs (default: all parts of a record, and the fields of json bodies)",
      listOption("--columns"),
    )
    .option("--state", "the latest record of each key, by key (default for keyed topics)")
    .option("--log", "all records that the topic keeps (default for other topics)")
    .option("--prefix <text>", "state: only keys that begin with this")
    .addOption(boxOption())
    .addOption(filterOption())
    .addOption(startOption({ only: "log", initial: "earliest" }))
    .addOption(untilOption({ only: "log" }))
    .addOption(limitOption())
    .action((topic: string, file = "-", options: ExportOptions) => {
      const format = checkExportOptions(file, options);
      return withClient(context, async (client) => {
        const found = await client.topics.get(topic, { signal: context.signal });
        const startedAt = performance.now();
        const tally: Tally = { bytesRead: 0, records: 0, leftInBody: 0 };
        const progress = showTransfer(context.output, totalOf(found, options), tally);
        const readOptions: ReadOptions = {
          ...options,
          onEvent: (event) => tellEvent(context.output, event),
          signal: context.signal,
        };
        try {
          const records = tap(withSignal(recordsOf(client, found, readOptions), context.signal), () => {
            tally.records += 1;
            tally.bytesRead += 1;
          });
          const text = textFromRecords(records, format, {
            columns: options.columns,
            onLeftInBody: () => {
              tally.leftInBody += 1;
            },
          });
          if (file === "-") await printText(text, context.output);
          else await writeFile(text, file, context.signal);
        } finally {
          progress.stop();
        }
        if (tally.leftInBody > 0) {
          const what = `${tally.leftInBody} records have fields without a column`;
          context.output.tell(`${what}, because the first records lack them: these are JSON in the column body`);
        }
        const summary = summaryOf(tally.records, (performance.now() - startedAt) / 1000, wantsJson(context));
        if (file !== "-") await context.output.print(summary);
      });
    });
}

function recordsOf(client: MillraceClient, topic: Topic, options: ReadOptions): AsyncIterable<ReceivedRecord> {
  const { prefix: keyPrefix, box: rectangle, filter, start, until, limit, onEvent, signal } = options;
  return isOfState(topic, options)
    ? client.state.list(topic.name, { keyPrefix, rectangle, filter, limit, onEvent, signal })
    : client.read(topic.name, { start, until, filter, limit, onEvent, signal });
}

/** How many records there will be; undefined when unknown. */
function totalOf(topic: Topic, options: ExportOptions): number | undefined {
  if (options.limit !== undefined) return options.limit;
  const isWhole = options.filter === undefined && options.start === undefined && options.until === undefined;
  return isWhole && !isOfState(topic, options) ? topic.nextOffset - topic.earliestOffset : undefined;
}

/** Prints text as fast as standard output takes it. */
async function printText(text: Stream<string>, output: Output): Promise<void> {
  // `print` adds a line end, and a piece may end inside a line.
  let begun = "";
  await forEach(text, (piece) => {
    const end = piece.lastIndexOf("\n");
    if (end === -1) {
      begun += piece;
      return undefined;
    }
    const whole = begun + piece.slice(0, end);
    begun = piece.slice(end + 1);
    return output.print(whole);
  });
  if (begun !== "") await output.print(begun);
}

/**
 * Writes to a `.partial` file and renames it when it is complete. Writes directly to a path that is not a regular file.
 */
async function writeFile(text: Stream<string>, file: string, signal: AbortSignal): Promise<void> {
  const isSpecial = await stat(file).then(
    (found) => !found.isFile(),
    () => false,
  );
  const partial = isSpecial ? file : `${file}.partial`;
  try {
    await toWritable(text, createWriteStream(partial), { signal });
    if (!isSpecial) await rename(partial, file);
  } catch (error) {
    if (!isSpecial) await rm(partial, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    throw typeof code === "string" && /^E[A-Z]+$/.test(code)
      ? new CommandError(`Cannot write ${file}: ${message}`, 1, error)
      : error;
  }
}

function summaryOf(records: number, seconds: number, isJson: boolean): string {
  const rate = Math.round(records / seconds);
  if (isJson) return JSON.stringify({ records, seconds: Number(seconds.toFixed(3)), recordsPerSecond: rate });
  return `Exported ${records} records in ${seconds.toFixed(1)} s (${rate} per second)`;
}
