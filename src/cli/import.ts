import { createHash, randomUUID } from "node:crypto";
import { realpath, stat } from "node:fs/promises";
import { Command, Option } from "commander";
import type { MillraceClient } from "../client/index.js";
import { type FileFormat, FileFormatError, importFile } from "../files/index.js";
import {
  checkReachable,
  type CommandContext,
  listOption,
  wantsJson,
  wholeNumberOption,
  withClient,
} from "./command-context.js";
import { batchRecordsOption, formatOption } from "./file-options.js";
import { checkImportOptions, type ImportCommandOptions } from "./import-options.js";
import { importSummary, type ImportTally } from "./import-summary.js";
import { CommandError } from "./output.js";
import { showTransfer } from "./progress.js";

/** How many bad rows are reported one by one. */
const reportedBadRowsMax = 10;

/** `import TOPIC FILE`, `import TOPIC --table NAME`: records from a file or a table, each once. */
export function importCommand(context: CommandContext): Command {
  return new Command("import")
    .argument("<topic>")
    .argument("[file]", "the file to import; -: standard input")
    .description("import a GeoJSON, CSV or NDJSON file, or a Postgres table; run again, it continues where it stopped")
    .addOption(formatOption())
    .option(
      "--key-column <column>",
      "CSV, table: the record's key (table: one or more, separated by commas)",
      listOption("--key-column"),
    )
    .option("--latitude-column <column>", "CSV, table: degrees north (default: latitude, lat)")
    .option("--longitude-column <column>", "CSV, table: degrees east (default: longitude, lon, lng)")
    .option("--time-column <column>", "CSV, table: the event time (default: event_time)")
    .option(
      "--attribute-columns <columns>",
      "CSV, table: columns that become attributes",
      listOption("--attribute-columns"),
    )
    .option(
      "--text-column <column>",
      "CSV: the column that becomes the body, as text (default: all other columns, as json)",
    )
    .option("--delimiter <text>", "CSV: the text between values (default: a comma)")
    .option("--key-property <name>", "GeoJSON: the property that becomes the key (default: the feature's id)")
    .option("--table <name>", "import this table, one record per row")
    .option(
      "--order-by <columns>",
      "table: columns of a unique index, in its order (default: primary key)",
      listOption("--order-by"),
    )
    .addOption(new Option("--database-url <url>", "table: the database that has the table").env("DATABASE_URL"))
    .option("--skip-bad <n>", "leave out up to this many bad rows (default: 0)", wholeNumberOption("--skip-bad"))
    .addOption(batchRecordsOption())
    .option("--producer-id <id>", "the import's name (default: made from the file or table, and these options)")
    .option("--again", "import everything, also records that were imported before")
    .action((topic: string, file: string | undefined, options: ImportCommandOptions) => {
      const format = checkImportOptions(file, options);
      return withClient(context, async (client) => {
        await checkReachable(client, context.signal);
        const run = new ImportRun(context, topic, options);
        if (file === undefined) await run.importTable(client);
        else await run.importFile(client, file, format as FileFormat);
        await run.printSummary();
      });
    });
}

class ImportRun {
  readonly #context: CommandContext;
  readonly #topic: string;
  readonly #options: ImportCommandOptions;
  readonly #startedAt = performance.now();
  readonly #tally: ImportTally = { bytesRead: 0, records: 0, skipped: 0 };

  constructor(context: CommandContext, topic: string, options: ImportCommandOptions) {
    this.#context = context;
    this.#topic = topic;
    this.#options = options;
  }

  async importFile(client: MillraceClient, file: string, format: FileFormat): Promise<void> {
    const tally = this.#tally;
    const { keyColumn, ...options } = this.#options;
    const isInput = file === "-";
    const found = isInput ? undefined : await this.#findFile(file);
    await this.#withProgress(found?.size, !isInput, async () => {
      const imported = await importFile(client, this.#topic, isInput ? this.#context.input : file, {
        ...options,
        keyColumn: keyColumn?.[0],
        format,
        name: isInput ? "stdin" : file,
        producerId: this.#producerId(found === undefined ? undefined : ["file", found.path, format]),
        onBytes: (count) => {
          tally.bytesRead += count;
        },
        onSkipped: (error) => this.#tellSkipped(error),
        onProgress: (progress) => Object.assign(tally, progress),
        signal: this.#context.signal,
      });
      Object.assign(tally, imported);
    });
    const { bytesRead, records, recordsBefore = 0, skipped } = tally;
    if (bytesRead > 0 && records + recordsBefore + skipped === 0) {
      const what = format === "csv" ? "a header and no rows" : "no records";
      this.#context.output.tell(
        `${isInput ? "stdin" : file} has ${what} in its ${bytesRead} bytes: nothing was imported`,
      );
    }
  }

  async importTable(client: MillraceClient): Promise<void> {
    const tally = this.#tally;
    const { keyColumn, orderBy, ...options } = this.#options;
    const { table = "", databaseUrl = "" } = options;
    // Loaded here, because only this needs a database driver.
    const { importTable } = await import("../tables/index.js");
    await this.#withProgress(undefined, true, async () => {
      const imported = await importTable(client, this.#topic, {
        ...options,
        table,
        databaseUrl,
        orderBy,
        keyColumns: keyColumn,
        producerId: this.#producerId(["table", placeOfDatabase(databaseUrl), table, orderBy]),
        onSkipped: (error) => this.#tellSkipped(error),
        onProgress: (progress) => Object.assign(tally, progress, { bytesRead: progress.records }),
        signal: this.#context.signal,
      });
      Object.assign(tally, imported);
    });
  }

  async printSummary(): Promise<void> {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    await this.#context.output.print(importSummary(this.#tally, seconds, wantsJson(this.#context)));
  }

  async #findFile(file: string): Promise<{ readonly path: string; readonly size: number }> {
    try {
      return { path: await realpath(file), size: (await stat(file)).size };
    } catch (error) {
      throw new CommandError(`Cannot read ${file}: ${(error as Error).message}`, 1, error);
    }
  }

  /** The same file or table with the same options is the same import, so records of earlier runs are skipped. */
  #producerId(source: readonly unknown[] | undefined): string {
    const { again, producerId, skipBad: _skipBad, databaseUrl: _databaseUrl, ...mapping } = this.#options;
    if (producerId !== undefined) return producerId;
    if (again === true || source === undefined) return `import-${randomUUID()}`;
    return `import-${createHash("sha256")
      .update(JSON.stringify([source, mapping]))
      .digest("hex")
      .slice(0, 32)}`;
  }

  #tellSkipped(error: FileFormatError): void {
    this.#tally.skipped += 1;
    if (this.#tally.skipped <= reportedBadRowsMax) this.#context.output.tell(`Left out: ${error.message}`);
  }

  async #withProgress(total: number | undefined, isResumable: boolean, work: () => Promise<void>): Promise<void> {
    const progress = showTransfer(this.#context.output, total, this.#tally);
    try {
      await work();
    } catch (error) {
      progress.stop();
      if (this.#tally.records > 0) {
        const hint = isResumable && this.#options.again !== true ? "; run again, it continues after them" : "";
        const end = this.#context.signal.aborted ? "." : ":";
        this.#context.output.tell(`Imported ${this.#tally.records} records before this${hint}${end}`);
      }
      if (error instanceof FileFormatError) throw new CommandError(error.message, 1, error);
      throw error;
    } finally {
      progress.stop();
    }
  }
}

/** The host and name of a database, without user and password. */
function placeOfDatabase(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return `${host}${pathname}`;
  } catch {
    return url;
  }
}
