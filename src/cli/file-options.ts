import { Option } from "commander";
import { fileFormats } from "../files/index.js";
import { wholeNumberOption } from "./command-context.js";

/** `--format FORMAT` of the commands that read or write a file. */
export function formatOption(): Option {
  return new Option("--format <format>", "the file's format (default: by its extension)").choices(fileFormats);
}

/** `--batch-records N` of the commands that publish. */
export function batchRecordsOption(): Option {
  return new Option("--batch-records <n>", "records per batch (default: 500)").argParser(
    wholeNumberOption("--batch-records", 1),
  );
}
