import { Command } from "commander";
import { type CommandContext, wantsJson, withClient } from "./command-context.js";
import { CommandError } from "./output.js";

/** `health`: prints the status; exits 0 for SERVING, 1 otherwise. */
export function healthCommand(context: CommandContext): Command {
  const { output, signal } = context;
  return new Command("health")
    .argument("[service]", "a service's full name, such as millrace.v1.RecordService", "")
    .description("ask whether the server serves; exit with 1 if it does not")
    .action((service: string) =>
      withClient(context, async (client) => {
        const status = await client.health(service, { timeoutMs: 5000, signal });
        await output.print(wantsJson(context) ? JSON.stringify({ status }) : status);
        if (status !== "SERVING") throw new CommandError(`The server's status is ${status}`);
      }),
    );
}
