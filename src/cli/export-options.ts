import type { Rectangle, Start, Topic, Until } from "../client/index.js";
import { type FileFormat, formatOfName } from "../files/index.js";
import { CommandError } from "./output.js";

/** What `export` was told. */
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

/** Options that only one of the two ways to read a topic has. */
const stateAlone = ["state", "prefix", "box"] as const;
const logAlone = ["log", "start", "until"] as const;

/** The format to write. Throws a CommandError when the options do not go together. */
export function checkExportOptions(file: string, options: ExportOptions): FileFormat {
  const [stateOption] = stateAlone.filter((name) => options[name] !== undefined);
  const [logOption] = logAlone.filter((name) => options[name] !== undefined);
  if (stateOption !== undefined && logOption !== undefined) {
    throw new CommandError(`export: --${stateOption} is for the state, and --${logOption} for the log`, 2);
  }
  const format = options.format ?? (file === "-" ? undefined : formatOfName(file));
  if (format === undefined) {
    const why = file === "-" ? "there is no file's name to tell" : `the name ${JSON.stringify(file)} does not tell`;
    throw new CommandError(`export: say --format geojson, csv or ndjson: ${why}`, 2);
  }
  if (options.columns !== undefined && format !== "csv") {
    throw new CommandError(`export: --columns is for csv, and this is ${format}`, 2);
  }
  return format;
}

/** Whether the state is exported, and not the log. */
export function isOfState({ isKeyed }: Topic, options: ExportOptions): boolean {
  if (stateAlone.some((name) => options[name] !== undefined)) return true;
  return isKeyed && logAlone.every((name) => options[name] === undefined);
}
