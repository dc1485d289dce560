import type { DescMethod } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { Command } from "commander";
import { errorOfStatus } from "../client/index.js";
import type { CommandContext } from "./command-context.js";
import { jsonOfMessage, messageFromJson } from "./json-message.js";
import { findMethod, type FoundMethod, loadTypes } from "./load-methods.js";
import { CommandError } from "./output.js";
import { type InputLine, readLines } from "./read-lines.js";

interface Options {
  readonly proto?: string;
}

/** A method, and the requests on the command line. */
interface Invocation extends FoundMethod {
  readonly texts: readonly string[];
}

/** `call SERVICE/METHOD [JSON…]`: any method of any service, of every call kind. */
export function callCommand(context: CommandContext): Command {
  return new Command("call")
    .argument("<method>", "SERVICE/METHOD, such as millrace.v1.RecordService/Append")
    .argument(
      "[json...]",
      "requests in proto3 JSON (default: {}; for a method that takes a stream, lines of standard input)",
    )
    .option("--proto <file>", "the service's .proto file (default: our own services, health, reflection)")
    .description("call any method with JSON requests; print the responses as JSON lines")
    .action(async (name: string, texts: readonly string[], options: Options) => {
      const found = findMethod(await loadTypes(options.proto), name);
      if (!takesStream(found.method) && texts.length > 1) {
        throw new CommandError(`call: ${name} takes one request, got ${texts.length}`, 2);
      }
      const client = new Client(context.globalOptions().address, credentials.createInsecure(), {
        "grpc.max_receive_message_length": -1,
      });
      try {
        await runCall(context, client, { ...found, texts });
      } finally {
        client.close();
      }
    });
}

async function runCall(
  { input, output, signal }: CommandContext,
  client: Client,
  invocation: Invocation,
): Promise<void> {
  const { types, method } = invocation;
  // On the wire, a unary method is a stream of one message, so a bidirectional call serves all four kinds.
  const call = client.makeBidiStreamRequest(
    `/${method.parent.typeName}/${method.name}`,
    (bytes: Buffer) => bytes,
    (bytes) => bytes,
    new Metadata(),
  );
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  let sending: Promise<unknown> = Promise.resolve();
  let failure: unknown;
  try {
    sending = sendRequests({ ...invocation, input }, (request) => {
      return new Promise<void>((resolve) => {
        call.write(request, () => resolve());
        // After the call's end, grpc-js does not call the callback.
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
      await output.print(JSON.stringify(jsonOfMessage(types, method.output, response as Buffer)));
    }
  } catch (error) {
    signal.throwIfAborted();
    throw failure ?? (isServiceError(error) ? errorOfStatus(error) : error);
  } finally {
    signal.removeEventListener("abort", cancel);
    call.cancel();
    // Not awaited: standard input may stay open after the call has ended.
    void sending;
  }
}

/** `input`: where a method that takes a stream has its requests from, if the command line has none. */
async function sendRequests(
  { types, method, texts, input }: Invocation & Pick<CommandContext, "input">,
  send: (request: Buffer) => Promise<void>,
): Promise<void> {
  const parse = (line: InputLine) => Buffer.from(messageFromJson(types, method.input, line));
  if (texts.length > 0 || !takesStream(method)) {
    const requests = (texts.length === 0 ? ["{}"] : texts).map((text) => parse({ text, where: "The request" }));
    for (const request of requests) await send(request);
    return;
  }
  for await (const line of readLines(input, "stdin", () => {})) {
    if (line.text.trim() !== "") await send(parse(line));
  }
}

function takesStream({ methodKind }: DescMethod): boolean {
  return methodKind === "client_streaming" || methodKind === "bidi_streaming";
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}
