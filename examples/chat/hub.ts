/**
 * What stands between the rooms and the members: all rooms as one stream, stored, then broadcast. Rooms come and go
 * while it runs. The store is waited for before the next message is taken, so a slow one slows the reading: HTTP/2's
 * window closes, and the messages wait where they are safe, in their topics.
 */

import type { MillraceClient } from "millrace";
import { broadcast, filterMap, forEach, Lagged, merge, pipe, type Stream } from "millrace/streams";
import { type Message, messageOf } from "./message.js";

/** Keeps messages; resolves when it has. */
export type Store = (message: Message) => Promise<void>;

export interface HubOptions {
  readonly store: Store;
  /** How many messages a member may be behind before it skips some, and is told how many. */
  readonly memberLag: number;
}

export interface Hub {
  /** How many messages were stored and broadcast. */
  readonly messages: number;
  /** Adds a room from its beginning; the function given back takes it out again. */
  open(room: string): () => Promise<void>;
  /** Everything from now on that comes in the rooms which `isOpen` lets through. */
  join(isOpen: (room: string) => boolean): Stream<Message | Lagged>;
  /** Runs until the rooms have ended, after `end`. Rejects when a room or the store fails; members then hear of it. */
  run(): Promise<void>;
  /** Opens no more rooms: the hub ends with the last of them. */
  end(): void;
}

export function createHub(millrace: MillraceClient, prefix: string, { store, memberLag }: HubOptions): Hub {
  const rooms = merge<Message>([], { keepOpen: true });
  const everyone = broadcast<Message>({ capacity: memberLag });
  let messages = 0;
  return {
    get messages() {
      return messages;
    },
    open(room) {
      const records = millrace.follow(`${prefix}/${room}`, { start: "earliest" });
      const added = rooms.add(
        pipe(
          records,
          filterMap((record) => messageOf(room, record)),
        ),
      );
      return () => added.remove();
    },
    join: (isOpen) =>
      pipe(
        everyone.subscribe(),
        filterMap((item) => (item instanceof Lagged || isOpen(item.room) ? item : undefined)),
      ),
    async run() {
      try {
        await forEach(rooms, async (message) => {
          await store(message);
          everyone.send(message);
          messages += 1;
        });
        everyone.close();
      } catch (error) {
        everyone.fail(error);
        throw error;
      }
    },
    end: () => rooms.end(),
  };
}
