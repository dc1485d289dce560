/**
 * Rooms, and members that join, talk, send files and leave, each in its own process. A member that joins a room gets its
 * history first, then its own joining, then what is live: nothing twice and nothing left out, however much is said meanwhile.
 * The others see a member leave, and it sees nothing after that. (A killed member cannot report that it left.)
 *
 * Pieces: merge with add, tryJoin, forEach, filterMap, lines, fromReadable, Watch.
 * RPCs: TopicService.CreateTopic and DeleteTopic; RecordService.Publish, Follow and Read.
 *
 *     make run                                                   # in another terminal
 *     make -s example NAME=chat ARGS="--member ada"              # in as many others as there are members
 *
 * Type `/join general`, `general: Hello`, `/file general PATH`, `/leave general`; the end of the input leaves all rooms.
 * Without a name it plays a chat of three members, in empty rooms, and compares what they saw with what was said:
 *
 *     make example NAME=chat ARGS="--lines 100"
 *
 * It prints:
 *
 *     general   108 messages; ada saw 107, bob 105, cleo 108
 *     pictures  5 messages; bob saw 4, cleo 5
 *     each saw all of its rooms until it left, in order, and nothing twice
 */

import { once } from "node:events";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { createClient, type MillraceClient } from "millrace";
import { collect, filterMap, fromReadable, lines, pipe } from "millrace/streams";
import { runMember } from "./member.js";
import { type Member, startMember } from "./members.js";
import { lineOf, messageOf } from "./message.js";
import { prepareEmptyTopic } from "../prepare-topic.js";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    prefix: { type: "string", default: "examples/chat" },
    member: { type: "string" },
    lines: { type: "string", default: "100" },
  },
});

const { address, prefix } = values;
const lineCount = wholeNumber("lines", values.lines, 2);

async function beMember(millrace: MillraceClient, member: string): Promise<void> {
  const stopped = new AbortController();
  process.once("SIGINT", () => stopped.abort());
  process.once("SIGTERM", () => stopped.abort());
  await runMember(millrace, {
    member,
    prefix,
    commands: lines(fromReadable(process.stdin)),
    async show(line) {
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
    },
    stopped: stopped.signal,
  });
}

/** Ada talks, Bob joins in the middle of it, Cleo when it is over; Bob leaves before Ada has said her last. */
async function play({ ada, bob, cleo }: Readonly<Record<"ada" | "bob" | "cleo", Member>>): Promise<void> {
  ada.type("/join general");
  for (let number = 1; number <= lineCount; number += 1) ada.type(`general: Line ${number}`);
  await ada.sees(`ada: Line ${Math.floor(lineCount / 2)}`);
  bob.type("/join general");
  await Promise.all([bob.sees("bob joined"), bob.sees(`ada: Line ${lineCount}`)]);
  bob.type("general: Hello, Ada");
  bob.type("/join pictures");
  bob.type(`/file pictures ${import.meta.filename}`);
  await ada.sees("bob: Hello, Ada");
  cleo.type("/join general");
  cleo.type("/join pictures");
  await Promise.all([cleo.sees("bob: Hello, Ada"), cleo.sees("…")]);
  bob.type("/leave general");
  await Promise.all([ada, bob, cleo].map((member) => member.sees("bob left")));
  ada.type("general: Bob is gone");
  await cleo.sees("ada: Bob is gone");
  for (const member of [ada, bob, cleo]) await member.end();
}

/** What a room holds, as a member shows it. */
function linesOf(millrace: MillraceClient, room: string): Promise<string[]> {
  return pipe(
    millrace.read(`${prefix}/${room}`),
    filterMap((record) => {
      const message = messageOf(record);
      return message && lineOf(room, record, message);
    }),
    collect({ limit: lineCount + 100 }),
  );
}

/** Compares what each member saw with what is there. */
async function compare(millrace: MillraceClient, members: readonly Member[]): Promise<boolean> {
  let isWhole = true;
  for (const room of ["general", "pictures"]) {
    const said = await linesOf(millrace, room);
    const counts: string[] = [];
    for (const { name, shown } of members) {
      const seen = shown.filter((line) => line.startsWith(`${room} `));
      const untilItLeft = said.slice(0, said.findLastIndex((line) => line.endsWith(` ${name} left`)) + 1);
      isWhole &&= isDeepStrictEqual(seen, untilItLeft);
      if (seen.length > 0) counts.push(`${name} ${counts.length === 0 ? "saw " : ""}${seen.length}`);
    }
    process.stdout.write(`${room.padEnd(9)} ${said.length} messages; ${counts.join(", ")}\n`);
  }
  return isWhole;
}

async function demonstrate(millrace: MillraceClient): Promise<void> {
  for (const room of ["general", "pictures"]) await prepareEmptyTopic(millrace, `${prefix}/${room}`);
  const start = (name: string) => startMember(name, ["--member", name, "--address", address, "--prefix", prefix]);
  const members = { ada: start("ada"), bob: start("bob"), cleo: start("cleo") };
  try {
    await play(members);
    const isWhole = await compare(millrace, Object.values(members));
    process.stdout.write(
      `each saw all of its rooms until it left, in order, and nothing twice${isWhole ? "" : ": NO"}\n`,
    );
    if (!isWhole) process.exitCode = 1;
  } finally {
    for (const member of Object.values(members)) member.kill();
  }
}

const millrace = createClient({ address });
try {
  await (values.member === undefined ? demonstrate(millrace) : beMember(millrace, values.member));
} finally {
  millrace.close();
}
