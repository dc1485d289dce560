import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import {
  createClient,
  type FollowEvent,
  type FollowOptions,
  type MillraceClient,
  type ReadOptions,
  type ReceivedRecord,
} from "../../src/client/index.js";
import { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import type {
  FollowRequest,
  FollowResponse,
  ReadRequest,
  ReadResponse,
} from "../../src/gen/millrace/v1/record_service.js";
import { endWith, type FollowCall, type Script, type ScriptedServer, startScriptedServer } from "./scripted-server.js";

const epoch = 7;
const opened: { server: ScriptedServer; client: MillraceClient }[] = [];

afterEach(() => {
  for (const { client, server } of opened.splice(0)) {
    client.close();
    server.close();
  }
});

async function open(script: Script) {
  const server = await startScriptedServer(script);
  const client = createClient({ address: server.address });
  opened.push({ server, client });
  return {
    server,
    client,
    follow: (options: FollowOptions = {}) => client.follow("t", { backoff: { minMs: 1, maxMs: 10 }, ...options }),
  };
}

const record = (offset: number, bytes = 0) =>
  RecordMessage.fromPartial({ key: String(offset), offset, body: { $case: "data", value: new Uint8Array(bytes) } });

/** A message with the records from `from` to below `to`. */
const page = (from: number, to: number, bytes = 0): FollowResponse => ({
  records: Array.from({ length: to - from }, (_, index) => record(from + index, bytes)),
  next: { epoch, offset: to },
  event: undefined,
});

const readPage = (from: number, to: number): ReadResponse => {
  const { records, next } = page(from, to);
  return { records, next, skipped: undefined };
};

const eventAt = (offset: number, event: FollowResponse["event"]): FollowResponse => ({
  records: [],
  next: { epoch, offset },
  event,
});

const started = (offset: number) =>
  eventAt(offset, { $case: "started", value: { earliestOffset: 0, nextOffset: 100 } });

function startOf({ start }: FollowRequest | ReadRequest): number {
  if (start?.at?.$case === "position") return start.at.value.offset ?? 0;
  return start?.at?.$case === "offset" ? start.at.value : 0;
}

async function take(records: AsyncIterable<ReceivedRecord>, count: number): Promise<number[]> {
  const offsets: number[] = [];
  for await (const { offset } of records) {
    offsets.push(offset);
    if (offsets.length === count) break;
  }
  return offsets;
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("follow()", () => {
  test("gives one sequence across every kind of lost connection", async () => {
    const events: FollowEvent[] = [];
    const ends: ((stream: FollowCall) => void)[] = [
      (stream) => endWith(stream, status.UNAVAILABLE),
      (stream) => endWith(stream, status.CANCELLED),
      () => server.breakConnections(),
      (stream) => endWith(stream, status.RESOURCE_EXHAUSTED, { reason: "LANE_FULL", retryMs: 1 }),
    ];
    const { follow, server } = await open({
      follow(stream, call) {
        const first = startOf(stream.request);
        stream.write(started(first));
        stream.write(page(first, first + 3));
        // Only the position shows whether the message arrived before the call ended.
        stream.write(page(first + 3, first + 5), () => ends[call % ends.length]?.(stream));
      },
    });
    const records = follow({ start: { offset: 0 }, onEvent: (event) => events.push(event) });
    expect(await take(records, 60)).toEqual(upTo(60));
    expect(records.position).toEqual({ epoch, offset: 60 });
    const attempts = events.flatMap((event) => (event.type === "reconnecting" ? [event.attempt] : []));
    expect(attempts.length).toBeGreaterThan(4);
  });

  test("a start at `latest` is fixed by the first message", async () => {
    const starts: string[] = [];
    const { follow } = await open({
      follow(stream, call) {
        const { at } = stream.request.start ?? {};
        starts.push(at?.$case === "position" ? `position ${at.value.offset}` : String(at?.$case));
        if (call < 2) endWith(stream, status.UNAVAILABLE);
        else if (call === 2) {
          stream.write(started(40));
          endWith(stream, status.UNAVAILABLE);
        } else stream.write(page(40, 42));
      },
    });
    expect(await take(follow(), 2)).toEqual([40, 41]);
    expect(starts).toEqual(["latest", "latest", "latest", "position 40"]);
  });

  test("reports events in order with records, and ends when the topic is closed", async () => {
    const seen: string[] = [];
    const { follow } = await open({
      follow(stream) {
        stream.write(started(0));
        stream.write(page(0, 2));
        stream.write(eventAt(2, { $case: "caughtUp", value: {} }));
        stream.write(eventAt(2, { $case: "fellBehind", value: { lag: 3 } }));
        stream.write(eventAt(4, { $case: "skipped", value: { firstOffset: 2, nextOffset: 4, reason: 2 } }));
        stream.write(page(4, 5));
        stream.write(eventAt(5, { $case: "heartbeat", value: { nextOffset: 5, waiting: 1 } }));
        stream.write(eventAt(5, { $case: "closed", value: {} }));
        stream.end();
      },
    });
    const records = follow({ onEvent: (event) => seen.push(event.type) });
    for await (const { offset } of records) seen.push(String(offset));
    expect(seen).toEqual(["started", "0", "1", "caught-up", "fell-behind", "skipped", "4", "heartbeat", "closed"]);
    expect(records.position).toEqual({ epoch, offset: 5 });
  });

  test("throws a permanent failure as a typed error, after the records before it", async () => {
    const refusals = {
      NotFoundError: [status.NOT_FOUND, "TOPIC_DELETED"],
      FailedPreconditionError: [status.FAILED_PRECONDITION, "EPOCH_MISMATCH"],
      OutOfRangeError: [status.OUT_OF_RANGE, "OFFSET_OUT_OF_RANGE"],
      InvalidArgumentError: [status.INVALID_ARGUMENT, "INVALID_ARGUMENT"],
      DataLossError: [status.DATA_LOSS, "DATA_LOSS"],
      ClientError: [status.RESOURCE_EXHAUSTED, "TOPIC_LIMIT"],
    } as const;
    for (const [name, [code, reason]] of Object.entries(refusals)) {
      const { follow } = await open({
        follow(stream) {
          stream.write(page(0, 3));
          endWith(stream, code, { reason, metadata: { next_offset: "3" } });
        },
      });
      const offsets: number[] = [];
      const reading = async () => {
        for await (const { offset } of follow()) offsets.push(offset);
      };
      await expect(reading()).rejects.toMatchObject({ name, reason });
      expect(offsets).toEqual([0, 1, 2]);
    }
  });

  test("reconnects when a server sends nothing while a message is requested", async () => {
    const events: FollowEvent[] = [];
    const { follow } = await open({
      follow(stream) {
        const first = startOf(stream.request);
        stream.write(page(first, first + 1));
      },
    });
    const records = follow({ start: { offset: 0 }, silenceMs: 50, onEvent: (event) => events.push(event) });
    expect(await take(records, 3)).toEqual([0, 1, 2]);
    // On a busy machine a first message may also be too late.
    expect(events.length).toBeGreaterThanOrEqual(2);
    expect(events[0]).toMatchObject({ type: "reconnecting", reason: { message: expect.stringContaining("nothing") } });
  });

  test("requests at most two messages that nobody pulls", async () => {
    let taken = 0;
    const { follow } = await open({
      follow(stream) {
        const next = (error?: Error | null) => {
          // After the end, each write calls back at once: the loop would never end.
          if (error) return;
          taken += 1;
          stream.write(page(taken - 1, taken, 262_144), next);
        };
        next();
      },
    });
    const pages = follow().pages();
    await pages.next();
    // The client's window holds 1 MiB, and the sockets between hold some.
    let before = -1;
    await expect
      .poll(
        () => {
          const isStill = before === taken;
          before = taken;
          return isStill;
        },
        { interval: 200, timeout: 10_000 },
      )
      .toBe(true);
    expect(taken).toBeLessThan(60);
    const stalledAt = taken;
    for (let count = 0; count < 20; count++) await pages.next();
    await expect.poll(() => taken).toBeGreaterThan(stalledAt);
    await pages.return?.();
  });

  test("ends its call when the loop is left, and when its signal aborts", async () => {
    let cancelled = 0;
    const { follow } = await open({
      follow(stream) {
        stream.on("cancelled", () => {
          cancelled += 1;
        });
        stream.write(page(0, 2));
      },
    });
    expect(await take(follow(), 1)).toEqual([0]);
    await expect.poll(() => cancelled).toBe(1);
    const stop = new AbortController();
    const records = follow({ signal: stop.signal })[Symbol.asyncIterator]();
    await records.next();
    await records.next();
    const parked = records.next();
    stop.abort(new Error("enough"));
    await expect(parked).rejects.toThrow("enough");
    await expect.poll(() => cancelled).toBe(2);
    expect(await records.next()).toEqual({ done: true, value: undefined });
  });

  test("return() ends a next() that waits", async () => {
    const { follow } = await open({ follow: (stream) => void stream.write(started(0)) });
    const records = follow()[Symbol.asyncIterator]();
    const parked = records.next();
    await records.return?.();
    expect(await parked).toEqual({ done: true, value: undefined });
  });

  test("can be iterated once", async () => {
    const { follow } = await open({ follow: (stream) => void stream.write(page(0, 1)) });
    const records = follow();
    await take(records, 1);
    expect(() => records.pages()).toThrow("iterated once");
  });
});

describe("read()", () => {
  test("ends at the topic's end at its start, even when it resumes and the topic grows", async () => {
    let nextOffset = 20;
    const untils: unknown[] = [];
    const { client } = await open({
      read(stream, call) {
        untils.push(stream.request.until?.at);
        const first = startOf(stream.request);
        const end = Math.min(nextOffset, (stream.request.until?.at?.value as number | undefined) ?? Infinity);
        nextOffset += 5;
        stream.write({ ...readPage(first, Math.min(end, first + 3)), endOffset: end });
        // The end is told once.
        stream.write(readPage(first + 3, Math.min(end, first + 6)));
        if (first + 6 >= end) stream.end();
        else endWith(stream, call % 2 === 0 ? status.UNAVAILABLE : status.CANCELLED);
      },
    });
    const records = client.read("t", { backoff: { minMs: 1, maxMs: 5 } });
    expect(await take(records, Infinity)).toEqual(upTo(20));
    const told = { $case: "offset", value: 20 };
    expect(untils).toEqual([undefined, told, told, told]);
  });

  test("resumes to the end that was told, whatever it was asked to read, 0 too", async () => {
    const time = new Date("2026-01-01T00:00:00Z");
    const cases: [ReadOptions, number][] = [
      [{ until: { offset: 50 } }, 20],
      [{ until: { time } }, 7],
      [{ direction: "backward" }, 0],
      [{ direction: "backward", start: { last: 4 } }, 16],
      [{ direction: "backward", until: { time } }, 3],
    ];
    for (const [options, endOffset] of cases) {
      const untils: unknown[] = [];
      const { client } = await open({
        read(stream, call) {
          untils.push(stream.request.until?.at);
          if (call === 1) return void stream.end();
          const skipped = { firstOffset: 0, nextOffset: 2, reason: 1 };
          stream.write({ records: [], next: { epoch, offset: 2 }, skipped, endOffset });
          endWith(stream, status.UNAVAILABLE);
        },
      });
      await take(client.read("t", { ...options, backoff: { minMs: 1, maxMs: 5 } }), Infinity);
      expect(untils).toEqual([untils[0], { $case: "offset", value: endOffset }]);
      expect(untils[0] === undefined).toBe(options.until === undefined);
    }
  });

  test("takes the end from the first call that says something", async () => {
    const untils: unknown[] = [];
    const { client } = await open({
      read(stream, call) {
        untils.push(stream.request.until?.at);
        if (call < 2) return endWith(stream, status.UNAVAILABLE);
        stream.write({ ...readPage(0, 2), endOffset: 2 });
        stream.end();
      },
    });
    expect(await take(client.read("t", { backoff: { minMs: 1, maxMs: 5 } }), Infinity)).toEqual([0, 1]);
    expect(untils).toEqual([undefined, undefined, undefined]);
  });

  test("counts its limit over all calls", async () => {
    const limits: number[] = [];
    const { client } = await open({
      read(stream) {
        const { limit } = stream.request;
        limits.push(limit);
        const first = startOf(stream.request);
        stream.write({ ...readPage(first, first + Math.min(limit, 4)), endOffset: 100 });
        endWith(stream, status.UNAVAILABLE);
      },
    });
    expect(await take(client.read("t", { limit: 10, backoff: { minMs: 1, maxMs: 5 } }), Infinity)).toEqual(upTo(10));
    expect(limits).toEqual([10, 6, 2]);
  });

  test("keeps an exclusive position when it reads backward", async () => {
    const { client } = await open({
      read(stream) {
        const records = [record(9), record(8), record(7)];
        stream.write({ records, next: { epoch, offset: 7 }, skipped: undefined });
        stream.end();
      },
    });
    const records = client.read("t", { direction: "backward" });
    expect(await take(records, 2)).toEqual([9, 8]);
    expect(records.position).toEqual({ epoch, offset: 8 });
  });

  test("gives up after its time without progress", async () => {
    const { client } = await open({ read: (stream) => endWith(stream, status.UNAVAILABLE) });
    await expect(take(client.read("t", { giveUpAfterMs: 0 }), 1)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
