/** A member's room. It is a topic: who follows it from its beginning gets the history, then what is live. */

import type { MillraceClient } from "millrace";
import { lineOf, type Message, messageOf, recordOf } from "./message.js";
import { prepareTopic } from "../prepare-topic.js";

export interface Room {
  /** What was said before the member joined, its joining, and everything until it has left. */
  readonly lines: AsyncIterable<string>;
  /** Resolves when the message is durable: then everybody in the room gets it, once. */
  say(message: Message): Promise<void>;
  /** Informs the others; `lines` ends after that. */
  leave(): Promise<void>;
}

export interface RoomOptions {
  readonly prefix: string;
  readonly room: string;
  readonly member: string;
}

/** How long it tries to inform the others. */
const leaveMsMax = 5000;

/** Joins a room; creates it if it does not exist. */
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
      // Rejects when that is not durable in time: a member must be able to leave even if its server is away.
      await publisher.close(AbortSignal.timeout(leaveMsMax));
    },
  };
}
