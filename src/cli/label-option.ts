import { Option } from "commander";
import { CommandError } from "./output.js";

/** `--label NAME=VALUE` of the commands that create and update; may be repeated. */
export function labelOption(what: string): Option {
  return new Option("--label <name=value>", `a label of the ${what}; may be repeated`).argParser(collectLabel);
}

function collectLabel(text: string, before: ReadonlyMap<string, string> | undefined): ReadonlyMap<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new CommandError(`--label: must be NAME=VALUE, got ${JSON.stringify(text)}`, 2);
  return new Map([...(before ?? []), [text.slice(0, at), text.slice(at + 1)]]);
}
