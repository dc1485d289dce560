import { Command } from "commander";
import { type CommandContext, wantsJson, withClient } from "./command-context.js";
import { CommandError } from "./output.js";

/** `health`: prints the status; exits 0 for SERVING, 1 otherwise. */
export function healthCommand({ output, signal }: CommandContext): Command {
  return new Command("health")
    .argument("[service]", "a service's full name, such as millrace.v1.RecordService", "")
    .description("ask whether the server serves; exit with 1 if it does not")
    .action((service: string, _options: object, command: Command) =>
      withClient(command, async (client) => {
        const status = await client.health(service, { timeoutMs: 5000, signal });
        await output.print(wantsJson(command, output) ? JSON.stringify({ status }) : status);
        if (status !== "SERVING") throw new CommandError(`The server's status is ${status}`);
      }),
    );
}
