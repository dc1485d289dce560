/** A room that a member is in. It is a topic: whoever follows that from its beginning has the history, and then what is live. */

import type { MillraceClient } from "millrace";
import { lineOf, type Message, messageOf, recordOf } from "./message.js";
import { prepareTopic } from "../prepare-topic.js";

export interface Room {
  /** What was said before the member joined, its joining, and all that comes until it has left. */
  readonly lines: AsyncIterable<string>;
  /** Resolves when the message is durable: then everybody in the room gets it, once. */
  say(message: Message): Promise<void>;
  /** Tells the others; `lines` ends behind it. */
  leave(): Promise<void>;
}

export interface RoomOptions {
  readonly prefix: string;
  readonly room: string;
  readonly member: string;
}

/** How long it is tried to tell the others. */
const leaveMsMax = 5000;

/** Joins a room, which is there from then on if it was not. */
export async function joinRoom(
  millrace: MillraceClient,
  { prefix, room, member }: RoomOptions,
  signal: AbortSignal,
): Promise<Room> {
  const topic = `${prefix}/${room}`;
  await prepareTopic(millrace, topic);
  const publisher = millrace.publisher(topic);
  const { offset: joinedAt } = await publisher.publish(recordOf(member, { kind: "joined" }));

  async function* readLines(): AsyncGenerator<string, void> {
    for await (const record of millrace.follow(topic, { start: "earliest", signal })) {
      const message = messageOf(record);
      if (message === undefined) continue;
      yield lineOf(room, record, message);
      if (message.kind === "left" && message.joinedAt === joinedAt) return;
    }
  }

  async function say(message: Message): Promise<void> {
    await publisher.publish(recordOf(member, message));
  }

  return {
    lines: readLines(),
    say,
    async leave() {
      void publisher.publish(recordOf(member, { kind: "left", joinedAt }));
      // Rejects when that is not durable by then: a member must be able to go though its server is away.
      await publisher.close(AbortSignal.timeout(leaveMsMax));
    },
  };
}
