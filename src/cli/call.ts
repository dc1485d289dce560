import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { Command } from "commander";
import { errorOfStatus } from "../client/index.js";
import type { CommandContext, GlobalOptions } from "./command-context.js";
import { messageFromJson, messageToJson } from "./json-message.js";
import { type DynamicMethod, findMethod, loadDefinitions } from "./load-methods.js";
import { CommandError } from "./output.js";
import { readLines } from "./read-lines.js";

interface Options {
  readonly proto?: string;
}

/** `call SERVICE/METHOD [JSON…]`: any method of any service, of all four kinds. */
export function callCommand(context: CommandContext): Command {
  return new Command("call")
    .argument("<method>", "SERVICE/METHOD, such as millrace.v1.RecordService/Append")
    .argument(
      "[json...]",
      "requests as proto3 JSON; none: {}, or for methods that take a stream, lines of standard input",
    )
    .option("--proto <file>", "the service's .proto file (default: our own services, health, reflection)")
    .description("call any method, with JSON in and JSON lines out")
    .action(async (name: string, texts: readonly string[], options: Options, command: Command) => {
      const definitions = await loadDefinitions(options.proto);
      const method = findMethod(definitions, name);
      if (!method.requestStream && texts.length > 1) {
        throw new CommandError(`call: ${name} takes one request, got ${texts.length}`, 2);
      }
      const client = new Client(command.optsWithGlobals<GlobalOptions>().address, credentials.createInsecure(), {
        "grpc.max_receive_message_length": -1,
      });
      try {
        await runCall(context, client, definitions, method, texts);
      } finally {
        client.close();
      }
    });
}

async function runCall(
  { output, signal }: CommandContext,
  client: Client,
  definitions: PackageDefinition,
  method: DynamicMethod,
  texts: readonly string[],
): Promise<void> {
  // A unary method is a stream of one message on the wire, so that one kind of call serves all four.
  const call = client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    new Metadata(),
  );
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  const type = typeName(method, "response");
  let sending: Promise<unknown> = Promise.resolve();
  let failure: unknown;
  try {
    sending = sendRequests(definitions, method, texts, (request) => {
      return new Promise<void>((resolve) => {
        call.write(request, () => resolve());
        // After the end the callback does not come.
        call.once("close", resolve);
        call.once("error", () => resolve());
      });
    }).then(
      () => call.end(),
      (error: unknown) => {
        failure = error;
        call.cancel();
      },
    );
    for await (const response of call) {
      await output.print(JSON.stringify(messageToJson(definitions, type, response as object)));
    }
  } catch (error) {
    signal.throwIfAborted();
    throw failure ?? (isServiceError(error) ? errorOfStatus(error) : error);
  } finally {
    signal.removeEventListener("abort", cancel);
    call.cancel();
    // Standard input may have no end; nobody waits for it when the call is over.
    void sending;
  }
}

async function sendRequests(
  definitions: PackageDefinition,
  method: DynamicMethod,
  texts: readonly string[],
  send: (request: object) => Promise<void>,
): Promise<void> {
  const type = typeName(method, "request");
  if (texts.length > 0 || !method.requestStream) {
    const requests = (texts.length === 0 ? ["{}"] : texts).map((text) => parse(definitions, type, text, "The request"));
    for (const request of requests) await send(request);
    return;
  }
  for await (const { text, where } of readLines(process.stdin, "stdin", () => {})) {
    if (text.trim() !== "") await send(parse(definitions, type, text, where));
  }
}

function parse(definitions: PackageDefinition, type: string, text: string, where: string): object {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new CommandError(`${where}: ${(error as Error).message}`, 2, error);
  }
  return messageFromJson(definitions, type, json);
}

/** The method's types by their full names: they are found among the definitions, which know names. */
function typeName(method: DynamicMethod, side: "request" | "response"): string {
  const { type } = side === "request" ? method.requestType : method.responseType;
  const service = method.path.slice(1, method.path.lastIndexOf("/"));
  const packageName = service.slice(0, service.lastIndexOf("."));
  return `${packageName}.${(type as { readonly name: string }).name}`;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}
