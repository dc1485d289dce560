import { setMaxListeners } from "node:events";
import { type Client, type ClientReadableStream, type ServiceError, status } from "@grpc/grpc-js";
import { expect, vi } from "vitest";
import { createClient, type MillraceClient, type Position } from "../../src/index.js";
import { FollowRequest, RecordServiceService } from "../../src/gen/millrace/v1/record_service.js";
import { decodeRecordsMessage, type RecordsMessage } from "../../src/wire/index.js";
import { closeAll, errorInfo, openClient, rawCall } from "../rpc/rpc-server.js";
import { AcknowledgedLog, publishBatches, Transcript } from "../support/acknowledged-log.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { type Random, wholeNumberBetween } from "../support/soak.js";
import { quickBackoff } from "./publish-through.js";

const topic = "drained";

/** Records before the first follow: about 600 KiB, which no window of 64 KiB takes. */
const history = 3000;

/**
 * SIGTERM with `follows` follows open, while records are published: a tenth stalled on raw HTTP/2, a fiftieth stalled
 * in our client, a tenth live in our client, the others in plain grpc-js. Then the server returns.
 */
export async function drainWithFollows(kind: DatabaseKind, follows: number, random: Random): Promise<void> {
  // A follow that is only slow must get its status within the grace, and all of them share two processes.
  const graceMs = 2000 + follows * 8;
  const database = await createTestDatabase(kind);
  const args = ["--drain-grace-ms", String(graceMs), "--log-level", "error", ...databaseArguments(database.connection)];
  let server = await startServerProcess(["--listen", "127.0.0.1:0", ...args]);
  const { address } = server;
  const publishing = createClient({ address });
  const following = createClient({ address });
  const slow = createClient({ address, windowBytes: 65_536 });
  const over = new AbortController();
  // All follows share it.
  setMaxListeners(0, over.signal);
  const stalledCount = Math.ceil(follows / 10);
  const heldCount = Math.ceil(follows / 50);
  const ourCount = Math.ceil(follows / 10);
  try {
    const log = new AcknowledgedLog();
    let isPublishing = true;
    const publish = (name: string, goesOn: (batch: number) => boolean) =>
      publishBatches(publishing, {
        topic,
        name,
        log,
        batchRecords: 20,
        paddingBytes: 180,
        goesOn,
        backoff: quickBackoff,
      });
    await publish("before", (batch) => batch < history / 20);

    const ours = Array.from({ length: ourCount }, () => follow(following, over.signal));
    const held = await Promise.all(Array.from({ length: heldCount }, () => holdFollow(slow, over.signal)));
    for (let index = 0; index < stalledCount; index += 1) stallFollow(address);
    const plainCount = follows - stalledCount - heldCount - ourCount;
    const plain = openPlainFollows(address, plainCount, random);
    await Promise.all(ours.map((each) => each.transcript.reaches(history, each.end)));
    await Promise.race([everyoneIsThere(publishing, follows, stalledCount + heldCount), ...plain]);
    const publisher = publish("meanwhile", () => isPublishing);
    publisher.catch(() => undefined);
    await log.reaches(history + wholeNumberBetween(random, 20, 400), [publisher]);

    const startedMs = performance.now();
    expect(await server.stop("SIGTERM")).toBe(0);
    const tookMs = performance.now() - startedMs;
    expect(server.lines.at(-1)).toBe("Stopped; calls that did not end in time were cut off");
    // The grace, then some time for a busy machine to close everything: a server that waits for ever is found here.
    expect(tookMs).toBeLessThan(graceMs + 10_000);

    const resumable = await Promise.all(plain);

    server = await startServerProcess(["--listen", address, ...args]);
    await log.reaches(log.size + 1000, [publisher]);
    isPublishing = false;
    await publisher;
    const { nextOffset } = await publishing.topics.get(topic);
    expect(log.size).toBe(nextOffset);
    for (const each of ours) {
      await each.transcript.reaches(nextOffset, each.end);
      log.check(each.transcript);
    }
    for (const each of held) {
      const transcript = each.transcript;
      expect(transcript.nextOffset).toBeLessThan(history);
      await each.readOn(nextOffset);
      log.check(transcript);
    }
    await resumeSome(publishing, resumable, log, nextOffset);
    console.log(
      `${follows} follows drained on ${kind} in ${Math.round(tookMs)} ms, ${stalledCount + heldCount} stalled`,
    );
    over.abort();
    await Promise.allSettled(ours.map(({ end }) => end));
  } finally {
    over.abort();
    for (const client of [publishing, following, slow]) client.close();
    await closeAll();
    await server.stop("SIGKILL");
    await database.drop();
  }
}

/** A follow of our client that reads everything. */
function follow(client: MillraceClient, signal: AbortSignal) {
  const transcript = new Transcript();
  const end = (async () => {
    const stream = client.follow(topic, { start: "earliest", backoff: quickBackoff, signal });
    for await (const record of stream) transcript.take(record);
  })();
  // It ends with its signal. An earlier failure is reported where the follow is awaited.
  end.catch(() => undefined);
  return { transcript, end };
}

/** A follow of our client that has read a little and is not iterated until `readOn`. */
async function holdFollow(client: MillraceClient, signal: AbortSignal) {
  const transcript = new Transcript();
  const stream = client.follow(topic, { start: "earliest", backoff: quickBackoff, signal })[Symbol.asyncIterator]();
  const readOn = async (nextOffset: number) => {
    while (transcript.nextOffset < nextOffset) {
      const result = await stream.next();
      if (result.done === true) throw new Error(`A follow ended at ${transcript.nextOffset}`);
      transcript.take(result.value);
    }
  };
  await readOn(10);
  return { transcript, readOn };
}

/** A client that never reads: raw, since grpc-js would read everything (grpc-js.md #19). */
function stallFollow(address: string): void {
  const request = FollowRequest.encode(FollowRequest.fromPartial(fromEarliest)).finish();
  rawCall(address, RecordServiceService.follow.path, request).stream.end();
}

const fromEarliest = { topic, start: { at: { $case: "earliest" as const, value: {} } } };

/**
 * Follows of plain grpc-js, which show what a client in any language receives: some in history, most near the end. Each
 * resolves with the result of `endOfPlainFollow`.
 */
function openPlainFollows(address: string, count: number, random: Random): Promise<Position>[] {
  const clients: Client[] = Array.from({ length: Math.ceil(count / 100) }, () => openClient(address));
  return Array.from({ length: count }, (_, index) => {
    const client = clients[index % clients.length]!;
    const last = { topic, start: { at: { $case: "last" as const, value: wholeNumberBetween(random, 1, 100) } } };
    const { path, requestSerialize } = RecordServiceService.follow;
    const request = FollowRequest.fromPartial(index % 10 === 0 ? fromEarliest : last);
    const end = endOfPlainFollow(client.makeServerStreamRequest(path, requestSerialize, decodeRecordsMessage, request));
    end.catch(() => undefined);
    return end;
  });
}

/** The position that a plain follow received at its end: UNAVAILABLE, and the offset after its last record. */
async function endOfPlainFollow(call: ClientReadableStream<RecordsMessage>): Promise<Position> {
  let next: Position | undefined;
  try {
    for await (const message of call as AsyncIterable<RecordsMessage>) {
      for (const { offset } of message.records) {
        expect(offset).toBe(next?.offset);
        next = { epoch: next?.epoch ?? 0, offset: offset + 1 };
      }
      next ??= message.next;
      expect(message.next).toEqual(next);
    }
  } catch (error) {
    if (!(error instanceof Error && "metadata" in error)) throw error;
    const refusal = error as ServiceError;
    expect(refusal.code).toBe(status.UNAVAILABLE);
    const { reason, metadata } = errorInfo(refusal);
    expect(reason).toBe("DRAINING");
    expect({ epoch: Number(metadata["epoch"]), offset: Number(metadata["offset"]) }).toEqual(next);
    expect(next).toBeDefined();
    return next!;
  }
  throw new Error("A follow of an open topic ended with OK");
}

/** Some of those positions work for a resume. */
async function resumeSome(
  client: MillraceClient,
  positions: readonly Position[],
  log: AcknowledgedLog,
  nextOffset: number,
): Promise<void> {
  for (const position of positions.slice(0, 5)) {
    expect(position.offset).toBeGreaterThan(0);
    const transcript = new Transcript(position.offset);
    for await (const record of client.follow(topic, { start: { position } })) {
      transcript.take(record);
      if (transcript.nextOffset === nextOffset) break;
    }
    expect(transcript.texts.length).toBe(nextOffset - position.offset);
    log.check(transcript);
  }
}

/** Waits until the node has all follows, and `stalled` of them stalled. */
async function everyoneIsThere(client: MillraceClient, follows: number, stalled: number): Promise<void> {
  await vi.waitFor(
    async () => {
      let [open, blocked] = [0, 0];
      for await (const { method, waiting } of client.liveStreams({ topic })) {
        if (!method.endsWith("/Follow")) continue;
        open += 1;
        if (waiting === "client-window") blocked += 1;
      }
      expect(open).toBe(follows);
      expect(blocked).toBeGreaterThanOrEqual(stalled);
    },
    { timeout: 60_000, interval: 100 },
  );
}
