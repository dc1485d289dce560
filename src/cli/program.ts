import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import type { CommandContext, GlobalOptions } from "./command-context.js";
import { errorText } from "./error-text.js";
import { CommandError, OutputClosedError, outputOn } from "./output.js";
import { type EndSignal, type ProgramIo, processIo, signalCodes } from "./program-io.js";

class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  readonly signalName: EndSignal;

  constructor(signalName: EndSignal) {
    super(`${signalName}: interrupted`);
    this.signalName = signalName;
  }
}

/**
 * Runs the command line. Resolves with the exit code: 0 done, also when the reader of the output left (`| head`); 1 a
 * failure; 2 wrong usage; 130 and 143 when SIGINT or SIGTERM ended it.
 */
export async function runProgram(args: readonly string[], io: ProgramIo = processIo): Promise<number> {
  const output = outputOn(io.stdout, io.stderr);
  const interrupted = new AbortController();
  const program = createProgram();
  const context: CommandContext = {
    input: io.input,
    output,
    signal: interrupted.signal,
    globalOptions: () => program.opts<GlobalOptions>(),
  };
  let exitCode = 0;
  await addCommands(program, context, args);
  const isServing = commandName(args) === "serve";
  if (isServing) {
    // Only this command needs the server's code, and it handles signals itself.
    const { addServeCommand } = await import("./serve.js");
    addServeCommand(program);
  } else program.command("serve").description("serve streams over gRPC, on Postgres or the embedded database");
  prepare(program, io);
  const stopListening = isServing ? () => {} : listenForSignals(io, interrupted);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    exitCode = codeOf(error, context);
  } finally {
    stopListening();
  }
  await output.finish();
  // The server sets its own exit code.
  return exitCode === 0 && isServing ? Number(process.exitCode ?? 0) : exitCode;
}

/** In the order of the help. */
const commands: Readonly<Record<string, () => Promise<(context: CommandContext) => Command>>> = {
  topic: async () => (await import("./topic.js")).topicCommand,
  publish: async () => (await import("./publish.js")).publishCommand,
  read: async () => (await import("./read.js")).readCommand,
  follow: async () => (await import("./follow.js")).followCommand,
  get: async () => (await import("./state.js")).getCommand,
  list: async () => (await import("./state.js")).listCommand,
  watch: async () => (await import("./state.js")).watchCommand,
  import: async () => (await import("./import.js")).importCommand,
  export: async () => (await import("./export.js")).exportCommand,
  explain: async () => (await import("./explain.js")).explainCommand,
  subscription: async () => (await import("./subscription.js")).subscriptionCommand,
  consume: async () => (await import("./consume.js")).consumeCommand,
  parked: async () => (await import("./parked.js")).parkedCommand,
  streams: async () => (await import("./streams.js")).streamsCommand,
  call: async () => (await import("./call.js")).callCommand,
  health: async () => (await import("./health.js")).healthCommand,
};

/** The command line without its commands. */
function createProgram(): Command {
  return new Command("millrace")
    .description("Durable, ordered gRPC streams on the Postgres you already run")
    .version(packageVersion(), "--version")
    .addOption(
      new Option("--address <host:port>", "where the server is").env("MILLRACE_ADDRESS").default("127.0.0.1:50051"),
    )
    .option("--json", "print JSON lines (default when standard output is not a terminal)");
}

/**
 * Loads the command that the arguments name, or all commands for the help. Loading everything that they all need
 * (files, tables, types of messages) would take longer than most commands run.
 */
async function addCommands(program: Command, context: CommandContext, args: readonly string[]): Promise<void> {
  const name = commandName(args);
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  const loading = name === "serve" ? [] : load === undefined ? Object.values(commands) : [load];
  for (const loadCommand of loading) program.addCommand((await loadCommand())(context));
}

/** The first argument that is not a global option. */
function commandName(args: readonly string[]): string {
  const at = args.findIndex((arg, index) => !arg.startsWith("-") && args[index - 1] !== "--address");
  return args[at] ?? "";
}

/**
 * Commander would end the process itself and lose unflushed output, and it reads only the process's streams and variables.
 * Added subcommands do not inherit these settings.
 */
function prepare(command: Command, io: ProgramIo): void {
  const { stdout, stderr, environment } = io;
  command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .showHelpAfterError("(--help shows how)");
  for (const option of command.options) {
    const value = option.envVar === undefined ? undefined : environment[option.envVar];
    // Parsed later, arguments override it.
    if (value !== undefined) command.setOptionValueWithSource(option.attributeName(), value, "cli");
  }
  for (const each of command.commands) prepare(each, io);
}

function codeOf(error: unknown, { output, globalOptions }: CommandContext): number {
  if (error instanceof OutputClosedError) return 0;
  if (error instanceof InterruptedError) return signalCodes[error.signalName];
  // Commander has printed the error. Help and version also throw, with exit code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  output.tell(`millrace: ${errorText(error, globalOptions().address)}`);
  return error instanceof CommandError ? error.exitCode : 1;
}

function listenForSignals(io: ProgramIo, interrupted: AbortController): () => void {
  return io.listenForSignals((name) => {
    // After a second signal, the process ends at once.
    if (interrupted.signal.aborted) io.exit(signalCodes[name]);
    interrupted.abort(new InterruptedError(name));
  });
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
