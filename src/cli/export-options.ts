import type { Rectangle, Start, Topic, Until } from "../client/index.js";
import { type FileFormat, formatOfName } from "../files/index.js";
import { CommandError } from "./output.js";

/** The options of `export`. */
export interface ExportOptions {
  readonly format?: FileFormat;
  readonly columns?: readonly string[];
  readonly state?: true;
  readonly log?: true;
  readonly prefix?: string;
  readonly box?: Rectangle;
  readonly filter?: string;
  readonly start?: Start;
  readonly until?: Until;
  readonly limit?: number;
}

/** Options for the state alone, and for the log alone. */
const stateOptions = ["state", "prefix", "box"] as const;
const logOptions = ["log", "start", "until"] as const;

/** The format to write. Throws a CommandError when the options do not fit together. */
export function checkExportOptions(file: string, options: ExportOptions): FileFormat {
  const [stateOption] = stateOptions.filter((name) => options[name] !== undefined);
  const [logOption] = logOptions.filter((name) => options[name] !== undefined);
  if (stateOption !== undefined && logOption !== undefined) {
    throw new CommandError(`export: --${stateOption} is for the state, and --${logOption} for the log`, 2);
  }
  const format = options.format ?? (file === "-" ? undefined : formatOfName(file));
  if (format === undefined) {
    const why = file === "-" ? "standard output has no file name" : `the name ${JSON.stringify(file)} does not tell it`;
    throw new CommandError(`export: give --format geojson, csv or ndjson: ${why}`, 2);
  }
  if (options.columns !== undefined && format !== "csv") {
    throw new CommandError(`export: --columns is for csv, but this is ${format}`, 2);
  }
  return format;
}

/** Whether to export the state instead of the log. */
export function isOfState({ isKeyed }: Topic, options: ExportOptions): boolean {
  if (stateOptions.some((name) => options[name] !== undefined)) return true;
  return isKeyed && logOptions.every((name) => options[name] === undefined);
}
