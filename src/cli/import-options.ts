import { type FileFormat, formatOfName, isDelimiter } from "../files/index.js";
import { CommandError } from "./output.js";

/** The options of `import`. */
export interface ImportCommandOptions {
  readonly format?: FileFormat;
  readonly keyColumn?: readonly string[];
  readonly latitudeColumn?: string;
  readonly longitudeColumn?: string;
  readonly timeColumn?: string;
  readonly attributeColumns?: readonly string[];
  readonly textColumn?: string;
  readonly delimiter?: string;
  readonly keyProperty?: string;
  readonly table?: string;
  readonly orderBy?: readonly string[];
  readonly databaseUrl?: string;
  readonly skipBad?: number;
  readonly batchRecords?: number;
  readonly producerId?: string;
  readonly again?: true;
}

type Source = FileFormat | "table";

/** The sources that an option is for. Options that are not here are for all sources. */
const sourcesOf: { readonly [Name in keyof ImportCommandOptions]?: readonly Source[] } = {
  format: ["geojson", "csv", "ndjson"],
  keyColumn: ["csv", "table"],
  latitudeColumn: ["csv", "table"],
  longitudeColumn: ["csv", "table"],
  timeColumn: ["csv", "table"],
  attributeColumns: ["csv", "table"],
  textColumn: ["csv"],
  delimiter: ["csv"],
  keyProperty: ["geojson"],
  orderBy: ["table"],
};

/** The format of the file; undefined for a table. Throws a CommandError when the options do not fit together. */
export function checkImportOptions(file: string | undefined, options: ImportCommandOptions): FileFormat | undefined {
  if ((file === undefined) === (options.table === undefined)) {
    throw wrongUsage("give either a file (-: standard input) or --table");
  }
  if (file === undefined && options.databaseUrl === undefined) {
    throw wrongUsage("--table needs --database-url, or DATABASE_URL: the database that has the table");
  }
  if (options.again === true && options.producerId !== undefined) {
    throw wrongUsage("--again makes its own name, so it cannot be used with --producer-id");
  }
  const format = file === undefined ? undefined : (options.format ?? formatOfName(file));
  if (file !== undefined && format === undefined) {
    throw wrongUsage(`give --format geojson, csv or ndjson: the name ${JSON.stringify(file)} does not tell it`);
  }
  const source: Source = format ?? "table";
  for (const [name, sources] of Object.entries(sourcesOf) as [keyof ImportCommandOptions, readonly Source[]][]) {
    if (options[name] === undefined || sources.includes(source)) continue;
    const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw wrongUsage(`${flag} is for ${sources.join(", ")}, but this is ${source}`);
  }
  if (options.delimiter !== undefined && !isDelimiter(options.delimiter)) {
    throw wrongUsage("--delimiter must be a text without quotes and line ends");
  }
  if (source === "csv" && (options.keyColumn?.length ?? 0) > 1)
    throw wrongUsage("--key-column: a CSV file has only one");
  return format;
}

function wrongUsage(text: string): CommandError {
  return new CommandError(`import: ${text}`, 2);
}
