/** A member: executes typed commands, and shows what happens in its rooms. */

import { readFile } from "node:fs/promises";
import { InvalidArgumentError, type MillraceClient } from "millrace";
import { forEach, merge, type Source, tryJoin } from "millrace/streams";
import type { Message } from "./message.js";
import { joinRoom, type Room } from "./room.js";

export interface MemberOptions {
  readonly member: string;
  readonly prefix: string;
  /** What is typed, line by line. */
  readonly commands: Source<string>;
  readonly show: (line: string) => Promise<void>;
  /** Ends it like the end of the commands. */
  readonly stopped: AbortSignal;
}

/** A command that cannot be executed. Its message is for the user. */
class Refusal extends Error {}

/** Runs until the commands end; then the member leaves its rooms. */
export async function runMember(
  millrace: MillraceClient,
  { member, prefix, commands, show, stopped }: MemberOptions,
): Promise<void> {
  const rooms = new Map<string, Room>();
  // Rooms are added while it runs. A room that was left ends by itself, after the last line that its member sees.
  const lines = merge<string>([], { keepOpen: true });

  async function join(room: string, signal: AbortSignal): Promise<void> {
    if (rooms.has(room)) throw new Refusal(`You are in ${room} already`);
    const joined = await joinRoom(millrace, { prefix, room, member }, signal);
    rooms.set(room, joined);
    lines.add(joined.lines);
  }

  function roomNamed(room: string): Room {
    const found = rooms.get(room);
    if (found === undefined) throw new Refusal(`You are not in ${room}`);
    return found;
  }

  async function leave(room: string): Promise<void> {
    await roomNamed(room).leave();
    rooms.delete(room);
  }

  async function obey(command: string, signal: AbortSignal): Promise<void> {
    const [, verb, room = "", rest = ""] = /^(?:\/(join|leave|file) )?([^\s:]+)(?::? (.+))?$/.exec(command) ?? [];
    if (verb === "join" && rest === "") await join(room, signal);
    else if (verb === "leave" && rest === "") await leave(room);
    else if (verb === "file" && rest !== "") await roomNamed(room).say(await readAsMessage(rest));
    else if (verb === undefined && rest !== "") await roomNamed(room).say({ kind: "text", text: rest });
    else throw new Refusal("Type /join ROOM, /leave ROOM, /file ROOM PATH, or ROOM: TEXT");
  }

  async function obeyAll(signal: AbortSignal): Promise<void> {
    await forEach(
      commands,
      async (command) => {
        try {
          await obey(command, signal);
        } catch (error) {
          // An invalid name of a room, or a file larger than a record may be: nothing was sent.
          if (!(error instanceof Refusal || error instanceof InvalidArgumentError)) throw error;
          await show(`? ${error.message}`);
        }
      },
      AbortSignal.any([signal, stopped]),
    ).catch((error: unknown) => {
      if (!stopped.aborted) throw error;
    });
    for (const room of rooms.keys()) await leave(room);
    lines.end();
  }

  // If one fails, the other ends.
  await tryJoin({ obeyAll, showAll: (signal) => forEach(lines, show, signal) });
}

async function readAsMessage(path: string): Promise<Message> {
  try {
    return { kind: "file", bytes: await readFile(path) };
  } catch (error) {
    throw new Refusal(`Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
