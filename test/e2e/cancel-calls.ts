import {
  type CallOptions,
  type Client,
  type ClientReadableStream,
  credentials,
  Client as GrpcClient,
  type ServiceError,
} from "@grpc/grpc-js";
import { expect, vi } from "vitest";
import {
  AppendRequest,
  type AppendResponse,
  FollowRequest,
  PublishRequest,
  type PublishResponse,
  ReadRequest,
  RecordServiceService,
} from "../../src/gen/millrace/v1/record_service.js";
import { createClient, type MillraceClient } from "../../src/index.js";
import { Call } from "../../src/rpc/call.js";
import { readSettings, type RunningServer, startServer } from "../../src/server/index.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { growth, heldResources } from "../support/held-resources.js";
import { connectRaw, RawFollower } from "../support/raw-follower.js";
import { databaseArguments } from "../support/server-process.js";
import { oneOf, type Random, wholeNumberBetween } from "../support/soak.js";
import { text } from "./caller.js";

const topics = { history: "cancel/history", live: "cancel/live", written: "cancel/written" } as const;

const callsAtOnce = 100;
const batchRecords = 3;

/** Pages of two hundred calls: buffers of sockets and pools vary by less. */
const buffersMargin = 4_000_000;

/** Finds a leak of one thing in twenty calls. The database pool's own things vary by less. */
const margin = 20;

/**
 * Calls of all four record methods, each cancelled at a random moment. The server runs in this process, so that its
 * resources can be counted. Afterwards no stream, timer, connection or listener is left (invariant 9), and every
 * cancelled batch was written completely or not at all (invariant 3).
 */
export async function cancelCalls(kind: DatabaseKind, count: number, random: Random): Promise<void> {
  const database = await createTestDatabase(kind);
  const args = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", ...databaseArguments(database.connection)];
  const flags = Object.fromEntries(
    Array.from({ length: args.length / 2 }, (_, index) => [args[2 * index]?.slice(2) ?? "", args[2 * index + 1]]),
  );
  const server = await startServer(readSettings(flags, {}), silentLogger);
  const client = createClient({ address: server.address });
  const ledger = new Ledger();
  try {
    await client.append(topics.live, [{ text: "x" }]);
    const history = client.publisher(topics.history);
    await history.publishAll(Array.from({ length: 5000 }, (_, index) => ({ text: `${index}`.padEnd(200, ".") })));
    await history.close();
    const run = (calls: number) => cancelMany(server, client, { calls, random, ledger });

    await run(2 * callsAtOnce);
    await expectQuiet(server, client);
    const before = heldResources([Call, AbortSignal, AbortController]);
    const buffersBefore = await bufferBytes(server);
    const { cancelled, completed } = await run(count);
    await expectQuiet(server, client);
    await vi.waitFor(
      () => expect(growth(before, heldResources([Call, AbortSignal, AbortController]), margin)).toEqual([]),
      { timeout: 10_000, interval: 200 },
    );
    await vi.waitFor(async () => expect((await bufferBytes(server)) - buffersBefore).toBeLessThan(buffersMargin), {
      timeout: 10_000,
      interval: 200,
    });
    const written = await ledger.check(client);
    console.log(
      `${kind}: ${cancelled} calls cancelled, ${completed} were faster; ${written} batches written, ${ledger.size} acknowledged`,
    );
    expect(cancelled).toBeGreaterThan(count / 5);
    expect(ledger.size).toBeGreaterThan(0);
  } finally {
    client.close();
    await server.drain();
    await database.drop();
  }
}

/** The bytes of all buffers of this process, except those in the pool. */
async function bufferBytes(server: RunningServer): Promise<number> {
  globalThis.gc?.();
  const text = await (await fetch(`http://${server.metricsAddress}/metrics`)).text();
  const pooled = /^millrace_buffer_pool_bytes (\d+)/m.exec(text)?.[1];
  return process.memoryUsage().arrayBuffers - Number(pooled);
}

interface Cancelling {
  readonly calls: number;
  readonly random: Random;
  readonly ledger: Ledger;
}

/** Makes and cancels calls, `callsAtOnce` at a time, while a publisher writes to the topic of the follows. */
async function cancelMany(server: RunningServer, client: MillraceClient, { calls, random, ledger }: Cancelling) {
  const tally = { cancelled: 0, completed: 0 };
  for (let made = 0; made < calls; made += callsAtOnce) {
    const caller = new GrpcClient(server.address, credentials.createInsecure());
    const outcomes = Array.from({ length: callsAtOnce }, async () => {
      const wasCancelled = await cancelOne(caller, random, ledger);
      if (wasCancelled) tally.cancelled += 1;
      else tally.completed += 1;
    });
    const live = client.append(topics.live, [{ text: "x".repeat(wholeNumberBetween(random, 1, 1000)) }]);
    if (random() < 0.3) await loseConnection(server, random);
    await Promise.all([live, ...outcomes]);
    caller.close();
  }
  return tally;
}

/** Begins a call and cancels it at a random moment. Resolves with whether it was cancelled before its end. */
function cancelOne(client: Client, random: Random, ledger: Ledger): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const end = (error: ServiceError | null | undefined) => {
      if (!error) resolve(false);
      // 1 is CANCELLED: any other status is a fault.
      else if (error.code === 1) resolve(true);
      else reject(error);
    };
    const begin = oneOf(random, [beginAppend, beginPublish, beginRead, beginFollow]);
    const call = begin(client, { random, ledger, end });
    // Some calls are not cancelled: on a slow machine nothing would ever be acknowledged.
    if (begin !== beginAppend || random() > 0.1) atSomeMoment(random, () => call.cancel());
  });
}

/** In this tick, in one of the next, or while the server is working. */
function atSomeMoment(random: Random, act: () => void): void {
  const moment = random();
  if (moment < 0.1) act();
  else if (moment < 0.2) setImmediate(act);
  else setTimeout(act, random() ** 3 * 300);
}

/** A distant deadline, or none: the server keeps a timer for each. */
function anyDeadline(random: Random): CallOptions {
  return random() < 0.5 ? { deadline: Date.now() + 3_600_000 } : {};
}

interface Cancellable {
  cancel(): void;
}

interface Beginning {
  readonly random: Random;
  readonly ledger: Ledger;
  readonly end: (error?: ServiceError | null) => void;
}

function beginAppend(client: Client, { random, ledger, end }: Beginning): Cancellable {
  const { path, requestSerialize, responseDeserialize } = RecordServiceService.append;
  const name = ledger.nextName();
  const request = AppendRequest.fromPartial({ topic: topics.written, records: ledger.batch(name) });
  const options = anyDeadline(random);
  return client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, (error, response) => {
    if (response !== undefined) ledger.acknowledge(name, response);
    end(error);
  });
}

function beginPublish(client: Client, { random, ledger, end }: Beginning): Cancellable {
  const { path, requestSerialize, responseDeserialize } = RecordServiceService.publish;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, anyDeadline(random));
  const names: string[] = [];
  stream.on("data", (response: PublishResponse) => ledger.acknowledge(names.shift() ?? "none", response));
  stream.on("error", end);
  stream.on("end", end);
  const batches = wholeNumberBetween(random, 1, 10);
  for (let batch = 0; batch < batches; batch += 1) {
    const name = ledger.nextName();
    names.push(name);
    stream.write(PublishRequest.fromPartial({ topic: topics.written, records: ledger.batch(name) }));
  }
  if (random() < 0.5) stream.end();
  return stream;
}

function beginRead(client: Client, { random, end }: Beginning): Cancellable {
  const { path, requestSerialize, responseDeserialize } = RecordServiceService.read;
  const request = ReadRequest.fromPartial({ topic: topics.history, direction: oneOf(random, [0, 2]) });
  const options = anyDeadline(random);
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, options);
  return reading(stream, random, end);
}

function beginFollow(client: Client, { random, end }: Beginning): Cancellable {
  const { path, requestSerialize, responseDeserialize } = RecordServiceService.follow;
  const topic = oneOf(random, [topics.history, topics.live]);
  const at = oneOf(random, [{ $case: "earliest" as const, value: {} }, undefined]);
  const request = FollowRequest.fromPartial({ topic, start: { at } });
  const options = anyDeadline(random);
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, options);
  return reading(stream, random, end);
}

/** Reads everything, or only the first message, and then lets the window close. */
function reading<T>(stream: ClientReadableStream<T>, random: Random, end: Beginning["end"]): Cancellable {
  if (random() < 0.7) stream.on("data", () => undefined);
  else stream.once("data", () => stream.pause());
  stream.on("error", end);
  stream.on("end", end);
  return stream;
}

/** Destroys a connection whose followers do not read. */
async function loseConnection(server: RunningServer, random: Random): Promise<void> {
  const session = await connectRaw(server.address);
  for (let index = 0; index < 5; index += 1) new RawFollower(session, oneOf(random, [topics.history, topics.live]));
  await new Promise<void>((resolve) => atSomeMoment(random, resolve));
  session.destroy();
}

/** No stream is open, and nothing waits in a queue or for the database. */
async function expectQuiet(server: RunningServer, client: MillraceClient): Promise<void> {
  await vi.waitFor(
    async () => {
      const streams: string[] = [];
      for await (const { method } of client.liveStreams()) streams.push(method);
      expect(streams).toEqual([]);
      const page = await (await fetch(`http://${server.metricsAddress}/metrics`)).text();
      const held = [...page.matchAll(/^millrace_(lane_\w+|publish_queue_bytes|page_budget_bytes) (\S+)$/gm)];
      expect(held.length).toBeGreaterThan(5);
      expect(held.filter(([, , value]) => value !== "0").map(([line]) => line)).toEqual([]);
    },
    { timeout: 10_000 },
  );
}

/** The written batches, with their publishers and their acknowledged offsets. */
class Ledger {
  #names = 0;
  readonly #acknowledged = new Map<string, number>();

  get size(): number {
    return this.#acknowledged.size;
  }

  nextName(): string {
    this.#names += 1;
    return `batch-${this.#names}`;
  }

  batch(name: string) {
    return Array.from({ length: batchRecords }, (_, index) => text(`${name} ${index}`));
  }

  acknowledge(name: string, { firstOffset = -1, nextOffset }: AppendResponse): void {
    expect(nextOffset - firstOffset).toBe(batchRecords);
    this.#acknowledged.set(name, firstOffset);
  }

  /** Every batch exists once and complete, the acknowledged ones at their offsets. Returns their number. */
  async check(client: MillraceClient): Promise<number> {
    const found = new Map<string, number>();
    let expected = 0;
    let name = "";
    for await (const record of client.read(topics.written)) {
      expect(record.offset).toBe(expected);
      const index = expected % batchRecords;
      if (index === 0) {
        name = record.text?.split(" ")[0] ?? "";
        expect(found.has(name), `${name} twice`).toBe(false);
        found.set(name, expected);
      }
      expect(record.text).toBe(`${name} ${index}`);
      expected += 1;
    }
    expect(expected % batchRecords).toBe(0);
    expect([...this.#acknowledged].filter(([each, offset]) => found.get(each) !== offset)).toEqual([]);
    return found.size;
  }
}
