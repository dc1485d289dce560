import { type Command, Option } from "commander";
import { runServer, settingsTable, variableOf } from "../server/index.js";

/** `millrace serve`: runs a node. Its flags come from the server's table of settings. */
export function addServeCommand(program: Command): void {
  const command = program.command("serve").description("serve streams over gRPC, on Postgres or the embedded database");
  for (const setting of settingsTable) {
    const flag = setting.kind === "switch" ? `--${setting.name}` : `--${setting.name} <${setting.kind}>`;
    const initial = setting.kind === "switch" || setting.initial === "" ? "" : ` (default: ${setting.initial})`;
    command.addOption(new Option(flag, `${setting.description}${initial} [${variableOf(setting.name)}]`));
  }
  command.action(async () => {
    const flags: Record<string, string | boolean | undefined> = {};
    const given = command.opts<Record<string, string | boolean | undefined>>();
    for (const setting of settingsTable) flags[setting.name] = given[camelCase(setting.name)];
    const code = await runServer(flags, process.env, {
      print: (line) => process.stdout.write(`${line}\n`),
      printError: (line) => process.stderr.write(`${line}\n`),
    });
    // Open connections to a database that does not answer would keep the process running.
    process.exit(code);
  });
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
