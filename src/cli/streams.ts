import { Command } from "commander";
import type { LiveStream, Queue } from "../client/index.js";
import { type CommandContext, wantsJson, withClient } from "./command-context.js";

/** `streams`: the live streams and queues of a node, from InspectService. */
export function streamsCommand(context: CommandContext): Command {
  const { output, signal } = context;
  return new Command("streams")
    .argument("[topic]", "only streams of this topic")
    .description("list the node's live streams: the next offset, the lag, and what each waits for")
    .option("--queues", "list queues instead: the database lanes, and each topic's publish queue and tail")
    .action((topic: string | undefined, { queues }: { readonly queues?: true }) =>
      withClient(context, async (client) => {
        const isJson = wantsJson(context);
        if (queues === true) {
          for await (const queue of client.queues({ topic, signal })) {
            await output.print(isJson ? JSON.stringify(queue) : queueLine(queue));
          }
          return;
        }
        for await (const stream of client.liveStreams({ topic, signal })) {
          await output.print(isJson ? JSON.stringify(stream) : streamLine(stream));
        }
      }),
    );
}

function queueLine({ kind, name, depth, capacity }: Queue): string {
  const percent = capacity === 0 ? 0 : Math.round((100 * depth) / capacity);
  const unit = kind === "lane" ? "statements wait" : "bytes";
  return `${kind}  ${name}  ${depth} of ${capacity} ${unit} (${percent} %)`;
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
