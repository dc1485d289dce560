/**
 * Rooms with text and binary messages: three rooms merged into one stream, stored, and broadcast to three members, each
 * of whom sees the rooms that it is in. The store is slow (`--store-ms`): then the rooms are read slowly, which
 * InspectService shows as the lag of their follows, and the memory of the hub stays as it was.
 *
 * Pieces: merge with add and remove, broadcast, filterMap, forEach, fold, range, scope.
 * RPCs: TopicService.CreateTopic and DeleteTopic; RecordService.Publish and Follow; InspectService.
 *
 *     make run                                                   # in another terminal
 *     make example NAME=chat ARGS="--messages 6000 --store-ms 1"
 *
 * It prints:
 *
 *     6000 messages stored and broadcast; the follows were up to 1449 behind, memory grew by 8 MiB
 *     ada   saw 6000, missed 0, sha256 32dfce4f76c4…
 *     bob   saw 2000, missed 0, sha256 7ec8a58e3439…
 *     cleo  saw 2000, missed 0, sha256 0fbc4c6e6c0c…
 */

import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { createClient, type MillraceClient } from "millrace";
import { fold, forEach, Lagged, range, scope, sleep } from "millrace/streams";
import { createHub, type Hub } from "./hub.js";
import { type Message, recordOf } from "./message.js";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    prefix: { type: "string", default: "chat" },
    messages: { type: "string", default: "3000" },
    "store-ms": { type: "string", default: "0" },
    json: { type: "boolean", default: false },
  },
});

const rooms = ["general", "random", "pictures"] as const;
const members: Readonly<Record<string, readonly string[]>> = {
  ada: ["general", "random", "pictures"],
  bob: ["general"],
  cleo: ["pictures"],
};
const messagesPerRoom = Math.ceil(wholeNumber("messages", values.messages, 1) / rooms.length);

/** Text in two rooms, bytes in the third. */
function messageNumber(number: number, room: string): Message {
  const member = Object.keys(members)[number % 3] ?? "ada";
  if (room !== "pictures") return { room, member, kind: "text", text: `${room} ${number}` };
  return { room, member, kind: "binary", bytes: new Uint8Array(512).fill(number) };
}

async function fill(millrace: MillraceClient, room: string): Promise<void> {
  const topic = `${values.prefix}/${room}`;
  await millrace.topics.delete(topic).catch(() => undefined);
  await millrace.topics.create(topic);
  const publisher = millrace.publisher(topic);
  await forEach(range(0, messagesPerRoom), async (number) => {
    await publisher.ready();
    void publisher.publish(recordOf(messageNumber(number, room)));
  });
  await publisher.close();
  // The room is closed: whoever follows it gets everything, and then the end.
  await millrace.topics.close(topic);
}

interface Seen {
  readonly member: string;
  readonly messages: number;
  readonly missed: number;
  readonly digest: string;
}

async function listen(hub: Hub, member: string): Promise<Seen> {
  const digest = createHash("sha256");
  let messages = 0;
  let missed = 0;
  await forEach(
    hub.join((room) => members[member]?.includes(room) ?? false),
    (item) => {
      if (item instanceof Lagged) {
        missed += item.missed;
        return;
      }
      messages += 1;
      digest.update(item.kind === "text" ? item.text : item.bytes);
    },
  );
  return { member, messages, missed, digest: digest.digest("hex").slice(0, 12) };
}

/** How far the rooms' follows are behind what was published: what a slow store leaves on the server. */
function lagOf(millrace: MillraceClient): Promise<number> {
  return fold(
    millrace.liveStreams(),
    (lag, stream) => (stream.topic.startsWith(`${values.prefix}/`) ? lag + (stream.lag ?? 0) : lag),
    0,
  );
}

const millrace = createClient({ address: values.address });
try {
  const storeMs = wholeNumber("store-ms", values["store-ms"]);
  const hub = createHub(millrace, values.prefix, {
    store: () => (storeMs > 0 ? sleep(storeMs) : Promise.resolve()),
    memberLag: 256,
  });
  await Promise.all(rooms.map((room) => fill(millrace, room)));
  const before = process.memoryUsage().rss;
  const { seen, lagMax, rssGrowth } = await scope(async ({ spawn, signal }) => {
    const listening = Object.keys(members).map((member) => spawn(() => listen(hub, member)));
    for (const room of rooms) hub.open(room);
    hub.end();
    let lagMax = 0;
    let rssMax = before;
    const isDone = new AbortController();
    void spawn(async () => {
      await hub.run();
      isDone.abort();
    });
    while (!isDone.signal.aborted) {
      lagMax = Math.max(lagMax, await lagOf(millrace));
      rssMax = Math.max(rssMax, process.memoryUsage().rss);
      await sleep(50, AbortSignal.any([signal, isDone.signal])).catch(() => undefined);
    }
    return { seen: await Promise.all(listening), lagMax, rssGrowth: rssMax - before };
  });
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ messages: hub.messages, seen, lagMax, rssGrowth })}\n`);
  } else {
    process.stdout.write(`${hub.messages} messages stored and broadcast; the follows were up to ${lagMax} behind, `);
    process.stdout.write(`memory grew by ${(rssGrowth / 1_048_576).toFixed(0)} MiB\n`);
    for (const { member, messages, missed, digest } of seen) {
      process.stdout.write(`${member.padEnd(5)} saw ${messages}, missed ${missed}, sha256 ${digest}…\n`);
    }
  }
} finally {
  millrace.close();
}
