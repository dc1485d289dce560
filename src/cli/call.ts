import { Command } from "commander";
import type { CommandContext } from "./command-context.js";
import { CommandError } from "./output.js";

export function callCommand(_context: CommandContext): Command {
  return new Command("call").description("call any method").action(() => {
    throw new CommandError("call is not there yet");
  });
}
