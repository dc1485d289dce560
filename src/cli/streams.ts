import { Command } from "commander";
import type { LiveStream } from "../client/index.js";
import { type CommandContext, wantsJson, withClient } from "./command-context.js";

/** `streams`: what InspectService says of the node's live streams. */
export function streamsCommand({ output, signal }: CommandContext): Command {
  return new Command("streams")
    .argument("[topic]", "only streams of this topic")
    .description("list the server's live streams: where each is, how far behind, and what it waits for")
    .action((topic: string | undefined, _options: object, command: Command) =>
      withClient(command, async (client) => {
        const isJson = wantsJson(command, output);
        for await (const stream of client.liveStreams({ topic, signal })) {
          await output.print(isJson ? JSON.stringify(stream) : streamLine(stream));
        }
      }),
    );
}

function streamLine(stream: LiveStream): string {
  const { id, peer, method, topic, nextOffset, lag, bytesSent, messagesSent, waiting, waitingSince } = stream;
  const parts = [`#${id}`, peer, method.slice(method.lastIndexOf("/") + 1)];
  if (topic !== "") parts.push(topic);
  if (nextOffset !== undefined) parts.push(`next ${nextOffset}`);
  if (lag !== undefined) parts.push(`lag ${lag}`);
  parts.push(`${bytesSent} bytes in ${messagesSent} messages`);
  if (waiting !== "nothing") {
    const since = waitingSince === undefined ? "" : ` since ${waitingSince.toISOString()}`;
    parts.push(`waits for ${waiting.replaceAll("-", " ")}${since}`);
  }
  return parts.join("  ");
}
