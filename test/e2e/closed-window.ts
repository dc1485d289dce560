import { readFile } from "node:fs/promises";
import type { ClientHttp2Session } from "node:http2";
import { expect, vi } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { connectRaw, RawFollower } from "../support/raw-follower.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";

const topic = "closed/window";
const recordBytes = 4096;
/** So small that a slow follower soon finds one page of the tail at most. */
const tailBytes = 262_144;

const textAt = (offset: number) => `${offset} `.padEnd(recordBytes, ".");

export interface ClosedWindow {
  /** How many bytes are published while the windows are closed. */
  readonly bytes: number;
  /** How many followers have closed theirs. */
  readonly stalled: number;
  /** How much the server may grow meanwhile. */
  readonly growthBytesMax: number;
}

/**
 * Followers become live and then stop reading, while records are published. The publisher, and a follower that reads,
 * work on and get everything; the server's memory stays flat (invariants 4 and 6). Then the windows open, and all
 * records arrive, once and in order (invariant 5).
 */
export async function closeWindows(kind: DatabaseKind, options: ClosedWindow): Promise<void> {
  const database = await createTestDatabase(kind);
  const server = await startServerProcess([
    ...`--listen 127.0.0.1:0 --log-level warn --tail-topic-bytes ${tailBytes}`.split(" "),
    // Only records are sent, so that what arrives can be counted.
    ..."--heartbeat-min-ms 600000 --heartbeat-max-ms 600000".split(" "),
    ...databaseArguments(database.connection),
  ]);
  const client = createClient({ address: server.address });
  const session = await connectRaw(server.address);
  try {
    const records = Math.ceil(options.bytes / recordBytes);
    // How much a server grows by this traffic alone, without stalled followers.
    await client.topics.create("warm/up");
    await publishWhileFollowing(client, "warm/up", records);
    const before = await residentBytes(server);

    await client.topics.create(topic);
    const followers = await Promise.all(Array.from({ length: options.stalled }, () => startLive(session)));
    const most = await publishWhileFollowing(client, topic, records, () => residentBytes(server));
    await waitUntilBlocked(client, options.stalled);
    const growth = Math.max(most, await residentBytes(server)) - before;
    console.log(
      `${kind}: ${options.stalled} closed windows, ${megabytes(options.bytes)} went by, the server grew by ${megabytes(growth)} from ${megabytes(before)}`,
    );
    expect(growth).toBeLessThan(options.growthBytesMax);

    for (const { follower, epoch } of followers) await readAll(follower, records, epoch);
  } finally {
    session.destroy();
    client.close();
    await server.stop();
    await database.drop();
  }
}

/** A follower of an empty topic that was informed that it is live. */
async function startLive(session: ClientHttp2Session): Promise<{ follower: RawFollower; epoch: number }> {
  const follower = new RawFollower(session, topic);
  const started = await follower.next();
  expect(started.event?.$case).toBe("started");
  const { event, next } = await follower.next();
  expect([event?.$case, next?.offset]).toEqual(["caughtUp", 0]);
  return { follower, epoch: next?.epoch ?? 0 };
}

/** Publishes, and follows from start to end. Returns the largest value of `sample` meanwhile. */
async function publishWhileFollowing(
  client: MillraceClient,
  name: string,
  records: number,
  sample: () => Promise<number> = () => Promise.resolve(0),
): Promise<number> {
  let most = 0;
  const following = (async () => {
    let expected = 0;
    for await (const record of client.follow(name, { start: "earliest" })) {
      if (record.offset !== expected || record.text !== textAt(expected)) {
        throw new Error(`A follower at offset ${expected} was given ${record.offset}: ${record.text?.slice(0, 20)}`);
      }
      expected += 1;
      if (expected % 1000 === 0) most = Math.max(most, await sample());
      if (expected === records) return;
    }
  })();
  const publisher = client.publisher(name, { batchRecords: 100 });
  await publisher.publishAll(Array.from({ length: records }, (_, offset) => ({ text: textAt(offset) })));
  await publisher.close();
  await following;
  return most;
}

/** Every remaining follow waits for its client, and sent no more than a window and what was on its way. */
async function waitUntilBlocked(client: MillraceClient, count: number): Promise<void> {
  await vi.waitFor(async () => {
    const streams = [];
    for await (const stream of client.liveStreams({ topic })) streams.push(stream);
    expect(streams.map(({ waiting }) => waiting)).toEqual(Array.from({ length: count }, () => "client-window"));
    for (const { bytesSent } of streams) expect(bytesSent).toBeLessThan(3 * 65_536);
  });
}

/** Opens the window: everything arrives once and in order, and the follower is informed of what happened. */
async function readAll(follower: RawFollower, records: number, epoch: number): Promise<void> {
  const events: string[] = [];
  let expected = 0;
  while (expected < records || events.at(-1) !== "caughtUp") {
    const message = await follower.next();
    for (const { offset, body } of message.records) {
      if (offset !== expected || body?.value !== textAt(expected)) {
        throw new Error(`A follower at offset ${expected} was given ${offset}`);
      }
      expected += 1;
    }
    expect(message.next).toEqual({ epoch, offset: expected });
    if (message.event !== undefined) events.push(message.event.$case);
  }
  expect(events).toEqual(["fellBehind", "caughtUp"]);
  expect(expected).toBe(records);
  follower.close();
}

async function residentBytes({ process: { pid } }: ServerProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
