import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Command } from "commander";
import { InvalidArgumentError, type JsonObject, type Publisher, type RecordInput } from "../client/index.js";
import { keyOfNumber } from "../files/index.js";
import { durationOption } from "./amount-options.js";
import { checkReachable, type CommandContext, wantsJson, wholeNumberOption, withClient } from "./command-context.js";
import { batchRecordsOption } from "./file-options.js";
import { CommandError } from "./output.js";
import { showTransfer } from "./progress.js";
import { readLines } from "./read-lines.js";
import { tellEvent } from "./stream-events.js";

interface Options {
  readonly lines?: true;
  readonly key?: string;
  readonly batchRecords?: number;
  readonly lingerMs?: number;
  readonly lifetime?: number;
}

/** The files, and how their lines become records. */
interface Input extends Options {
  readonly files: readonly string[];
}

/** The progress of publishing. */
interface Tally {
  /** FILE:LINE of the last line that was read. */
  where: string;
  bytesRead: number;
  records: number;
  firstOffset: number | undefined;
  nextOffset: number | undefined;
}

/** After an interrupt, how long to wait until the published records are durable. */
const interruptedGraceMs = 5000;

/** `publish TOPIC [FILE…]`: publishes each line as a record. The input is streamed and may be of any length. */
export function publishCommand(context: CommandContext): Command {
  return new Command("publish")
    .argument("<topic>")
    .argument("[file...]", "files to publish; - or none: standard input")
    .description("publish lines: each is a JSON object, which becomes the record's json")
    .option("--lines", "plain lines: each becomes a record's text")
    .option("--key <field>", "take the record's key from this field of the JSON object")
    .addOption(batchRecordsOption())
    .option(
      "--lifetime <duration>",
      "the records' lifetime, such as 30s or 7d; afterwards no reader receives them",
      durationOption("--lifetime"),
    )
    .option("--linger-ms <n>", "how long a record waits for others (default: 5)", wholeNumberOption("--linger-ms"))
    .action((topic: string, files: readonly string[], options: Options) => {
      if (options.lines === true && options.key !== undefined) {
        throw new CommandError("publish: --key takes a field of a JSON object, so it cannot be used with --lines", 2);
      }
      return withClient(context, async (client) => {
        await checkReachable(client, context.signal);
        const publisher = client.publisher(topic, {
          batchRecords: options.batchRecords,
          lingerMs: options.lingerMs,
          onEvent: (event) => tellEvent(context.output, event),
        });
        await publishFiles(context, publisher, { ...options, files: files.length === 0 ? ["-"] : files });
      });
    });
}

async function publishFiles(context: CommandContext, publisher: Publisher, input: Input): Promise<void> {
  const tally: Tally = { where: "", bytesRead: 0, records: 0, firstOffset: undefined, nextOffset: undefined };
  const startedAt = performance.now();
  const progress = showTransfer(context.output, await totalBytes(input.files), tally);
  try {
    const totals = await publisher.publishAll(recordsOf(input, tally, context), {
      signal: context.signal,
      onAcknowledged: (records) => {
        tally.records = records;
      },
    });
    Object.assign(tally, totals);
    await publisher.close(context.signal);
  } catch (error) {
    // Records before the bad line are still published. Only after an interrupt does this have a time limit.
    const grace = context.signal.aborted ? AbortSignal.timeout(interruptedGraceMs) : context.signal;
    await publisher.close(grace).catch(() => {});
    progress.stop();
    if (tally.records > 0) context.output.tell(`Published ${tally.records} records before this:`);
    throw located(error, tally.where);
  } finally {
    progress.stop();
  }
  await context.output.print(summary(tally, (performance.now() - startedAt) / 1000, wantsJson(context)));
}

/**
 * Adds the line to the error of a refused record. A refusal by the server has no line: later lines were already read.
 */
function located(error: unknown, where: string): unknown {
  if (!(error instanceof InvalidArgumentError) || !error.violations[0]?.field.startsWith("record ")) return error;
  const [{ field, description }] = error.violations as [{ field: string; description: string }];
  return new CommandError(
    `${where}: ${field.replace(/^record \d+\.?/, "")} ${description}`.replace(":  ", ": "),
    1,
    error,
  );
}

async function totalBytes(files: readonly string[]): Promise<number | undefined> {
  let total = 0;
  for (const file of files) {
    if (file === "-") return undefined;
    try {
      const { size } = await stat(file);
      total += size;
    } catch (error) {
      throw new CommandError(`Cannot read ${file}: ${(error as Error).message}`, 1, error);
    }
  }
  return total;
}

async function* recordsOf(
  { files, lines: isPlain, key, lifetime: lifetimeMs }: Input,
  tally: Tally,
  { input, signal }: CommandContext,
): AsyncGenerator<RecordInput, void> {
  for (const file of files) {
    const chunks = file === "-" ? input : createReadStream(file, { highWaterMark: 262_144, signal });
    const inputLines = readLines(chunks, file === "-" ? "stdin" : file, (count) => {
      tally.bytesRead += count;
    });
    for await (const { text, where } of inputLines) {
      tally.where = where;
      if (isPlain === true) yield { text, lifetimeMs };
      else if (text.trim() !== "") yield { ...jsonRecord(text, where, key), lifetimeMs };
    }
  }
}

function jsonRecord(text: string, where: string, keyField: string | undefined): RecordInput {
  const json = parseObject(text, where);
  if (keyField === undefined) return { json };
  if (!Object.hasOwn(json, keyField)) return { json };
  const key = json[keyField];
  if (key === null) return { json };
  if (typeof key === "object") throw new CommandError(`${where}: --key ${keyField}: is not a text or a number`);
  const keyText = typeof key === "number" ? keyOfNumber(key) : String(key);
  if (keyText !== undefined) return { json, key: keyText };
  throw new CommandError(
    `${where}: --key ${keyField}: has more digits than a JSON number can keep: write it as a text`,
  );
}

function parseObject(text: string, where: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (text.includes("\r")) {
      throw new CommandError(`${where}: has a CR that ends no line: end lines with LF or CRLF`, 1, error);
    }
    throw new CommandError(`${where}: ${(error as Error).message} (for plain lines, use --lines)`, 1, error);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  const what = value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
  throw new CommandError(`${where}: must be a JSON object, got ${what} (for plain lines, use --lines)`);
}

function summary({ records, firstOffset, nextOffset }: Tally, seconds: number, isJson: boolean): string {
  const rate = Math.round(records / seconds);
  if (isJson) {
    return JSON.stringify({
      records,
      ...(firstOffset === undefined ? {} : { firstOffset: String(firstOffset), nextOffset: String(nextOffset) }),
      seconds: Number(seconds.toFixed(3)),
      recordsPerSecond: rate,
    });
  }
  const range = firstOffset === undefined ? "" : `, from offset ${firstOffset} to below ${nextOffset}`;
  return `Published ${records} records in ${seconds.toFixed(1)} s (${rate} per second)${range}`;
}
