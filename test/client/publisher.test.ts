import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { createClient, type MillraceClient, type PublisherOptions } from "../../src/client/index.js";
import { endWith, type PublishCall, type Script, type ScriptedServer, startScriptedServer } from "./scripted-server.js";

const quick = { minMs: 1, maxMs: 20 };
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
    publisher: (options: PublisherOptions = {}) => client.publisher("t", { backoff: quick, ...options }),
    client,
  };
}

/** A topic in memory that knows producers, enough for a publisher. */
function memoryTopic() {
  const texts: string[] = [];
  const applied = new Map<number, number>();
  const openings: { sequence: number; epoch: number; generation: number }[] = [];
  const serve = (stream: PublishCall, onBatch: (sequence: number) => "acknowledge" | "apply only" | "stop") => {
    let sequence = 0;
    let isFirst = true;
    let isStopped = false;
    stream.on("data", (request) => {
      if (isStopped) return;
      if (isFirst) {
        sequence = request.producer.sequence;
        openings.push({ sequence, epoch: request.epoch, generation: request.producer.generation });
        isFirst = false;
      }
      const what = onBatch(sequence);
      isStopped = what !== "acknowledge";
      if (what === "stop") return;
      const repeated = applied.has(sequence);
      if (!repeated) {
        applied.set(sequence, texts.length);
        for (const { body } of request.records) texts.push(body.value);
      }
      const firstOffset = applied.get(sequence) ?? 0;
      sequence += 1;
      if (what === "apply only") return;
      stream.write({ firstOffset, nextOffset: firstOffset + request.records.length, epoch: 7, repeated });
    });
    stream.on("end", () => stream.end());
  };
  return { texts, openings, serve };
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ text: String(index) }));
const textsTo = (count: number) => Array.from({ length: count }, (_, index) => String(index));

describe("Publisher", () => {
  test("publish() resolves with each record's own offset", async () => {
    const topic = memoryTopic();
    const { publisher } = await open({ publish: (stream) => topic.serve(stream, () => "acknowledge") });
    const publishing = publisher({ batchRecords: 3 });
    const acknowledgements = await Promise.all(numbered(10).map((record) => publishing.publish(record)));
    expect(acknowledgements.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(topic.texts).toEqual(textsTo(10));
    expect(publishing.epoch).toBe(7);
    await publishing.close();
  });

  test("publish() resolves with each record's own offset, also for records that waited for room", async () => {
    const topic = memoryTopic();
    const { publisher } = await open({ publish: (stream) => topic.serve(stream, () => "acknowledge") });
    const publishing = publisher({ batchRecords: 50, bufferBytes: 300 });
    const told = new Map<string, number>();
    const publish = async (text: string) => void told.set(text, (await publishing.publish({ text })).offset);
    // Others are published while the waiting ones are added, one after the other.
    const others = Array.from({ length: 20 }, async (_, index) => {
      for (let number = 0; number < 50; number++) await publish(`other ${index} ${number}`);
    });
    await Promise.all([...textsTo(500).map(publish), ...others]);
    expect(topic.texts.map((text) => told.get(text))).toEqual(topic.texts.map((_, offset) => offset));
    await publishing.close();
  });

  test("publishAll() publishes each record once and in order, across failures of every kind", async () => {
    const topic = memoryTopic();
    let batches = 0;
    const breaks = [status.UNAVAILABLE, status.CANCELLED] as const;
    const { publisher, server } = await open({
      publish(stream, call) {
        topic.serve(stream, () => {
          batches += 1;
          if (batches % 7 !== 0) return "acknowledge";
          if (call % 3 === 2) server.breakConnections();
          else endWith(stream, breaks[call % 3] ?? status.UNAVAILABLE);
          // Half of the unanswered batches were applied.
          return batches % 2 === 0 ? "apply only" : "stop";
        });
      },
    });
    const publishing = publisher({ batchRecords: 5 });
    const totals = await publishing.publishAll(numbered(400));
    await publishing.close();
    expect(totals).toEqual({ records: 400, firstOffset: 0, nextOffset: 400 });
    expect(topic.texts).toEqual(textsTo(400));
    expect(topic.openings.length).toBeGreaterThan(5);
    expect(topic.openings[0]).toEqual({ sequence: 0, epoch: 0, generation: 0 });
    // The epoch is pinned from the first acknowledgement on.
    expect(topic.openings.slice(1).every(({ epoch }) => epoch === 7)).toBe(true);
  });

  test("waits as long as RetryInfo says, and reports the wait", async () => {
    const topic = memoryTopic();
    const events: unknown[] = [];
    const { publisher } = await open({
      publish(stream, call) {
        if (call === 0) endWith(stream, status.RESOURCE_EXHAUSTED, { reason: "LANE_FULL", retryMs: 30 });
        else topic.serve(stream, () => "acknowledge");
      },
    });
    const publishing = publisher({ onEvent: (event) => events.push(event) });
    await publishing.publish({ text: "0" });
    await publishing.close();
    expect(events).toMatchObject([{ type: "reconnecting", attempt: 1, delayMs: 30, reason: { reason: "LANE_FULL" } }]);
  });

  test("fails when no retry can help: every promise rejects, none is unhandled", async () => {
    const { publisher } = await open({
      publish(stream) {
        stream.once("data", () => {
          stream.write({ firstOffset: 0, nextOffset: 1, epoch: 7, repeated: false });
          endWith(stream, status.FAILED_PRECONDITION, { reason: "TOPIC_CLOSED", metadata: { next_offset: "1" } });
        });
      },
    });
    const publishing = publisher({ batchRecords: 1 });
    const first = publishing.publish({ text: "0" });
    const second = publishing.publish({ text: "1" });
    void publishing.publish({ text: "2" });
    expect((await first).offset).toBe(0);
    const refusal = { code: "FAILED_PRECONDITION", reason: "TOPIC_CLOSED", name: "FailedPreconditionError" };
    await expect(second).rejects.toMatchObject(refusal);
    await expect(publishing.publish({ text: "3" })).rejects.toMatchObject(refusal);
    await expect(publishing.ready()).rejects.toMatchObject(refusal);
    await expect(publishing.flush()).rejects.toMatchObject(refusal);
    await expect(publishing.close()).rejects.toMatchObject(refusal);
  });

  test("holds at most its buffer, and at most 64 unacknowledged batches", async () => {
    let received = 0;
    const streams: PublishCall[] = [];
    const { publisher } = await open({
      publish(stream) {
        streams.push(stream);
        stream.on("data", () => {
          received += 1;
        });
      },
    });
    const publishing = publisher({ batchRecords: 1, bufferBytes: 100 * 100 });
    const source = numbered(1000).map(({ text }) => ({ text: text.padEnd(75) }));
    const all = publishing.publishAll(source);
    all.catch(() => {});
    await expect.poll(() => received).toBe(64);
    expect(publishing.room).toBeLessThan(200);
    let isReady = false;
    void publishing.ready().then(
      () => {
        isReady = true;
      },
      () => {},
    );
    // It waits behind the record for which `publishAll` waits.
    expect(isReady).toBe(false);
    for (let batch = 0; batch < 10; batch++) {
      streams[0]?.write({ firstOffset: batch, nextOffset: batch + 1, epoch: 7, repeated: false });
    }
    await expect.poll(() => received).toBe(74);
    await expect.poll(() => isReady).toBe(true);
    await expect(publishing.close(AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    await expect(all).rejects.toThrow("enough");
  });

  test("keeps the order of calls when records wait for room", async () => {
    const topic = memoryTopic();
    const { publisher } = await open({ publish: (stream) => topic.serve(stream, () => "acknowledge") });
    const publishing = publisher({ batchRecords: 2, bufferBytes: 200 });
    const offsets: number[] = [];
    const published = numbered(100).map((record) =>
      publishing.publish(record).then(({ offset }) => {
        offsets.push(offset);
      }),
    );
    await Promise.all(published);
    await publishing.close();
    expect(topic.texts).toEqual(textsTo(100));
    expect(offsets).toEqual(offsets.toSorted((left, right) => left - right));
  });

  test("refuses a record that it would have to alter, and publishes the others", async () => {
    const topic = memoryTopic();
    const { publisher } = await open({ publish: (stream) => topic.serve(stream, () => "acknowledge") });
    const publishing = publisher();
    const refused: [record: object, field: string][] = [
      [{ text: "a\ud800" }, "record.text"],
      [{ key: "\udc00" }, "record.key"],
      [{ key: "a\u0000" }, "record.key"],
      [{ attributes: { "\ud800": "x" } }, "record.attributes.key"],
      [{ attributes: { x: "\ud800" } }, "record.attributes.value"],
      [{ json: { a: ["\ud800"] } }, "record.json"],
      [{ json: { "\ud800": 1 } }, "record.json"],
      [{ json: { a: Number.NaN } }, "record.json"],
      [{ json: { a: 1n } }, "record.json"],
      [{ json: [1] }, "record.json"],
      [{ text: "a", data: new Uint8Array(1) }, "record"],
      [{ data: new Uint8Array(1_048_576) }, "record"],
      [{ location: { latitude: 91, longitude: 0 } }, "record.location.latitude"],
    ];
    for (const [record, field] of refused) {
      await expect(publishing.publish(record)).rejects.toMatchObject({
        name: "InvalidArgumentError",
        violations: [{ field }],
      });
    }
    expect((await publishing.publish({ text: "0" })).offset).toBe(0);
    await publishing.close();
    expect(topic.texts).toEqual(["0"]);
  });

  test("close() without a record opens no call", async () => {
    let calls = 0;
    const { publisher } = await open({
      publish() {
        calls += 1;
      },
    });
    await publisher().close();
    expect(calls).toBe(0);
  });
});

describe("append()", () => {
  test("retries only with a producer or an expected offset", async () => {
    const { client } = await open({
      append: (_request, call) =>
        call % 2 === 0 ? { code: status.UNAVAILABLE } : { firstOffset: 3, nextOffset: 4, epoch: 7, repeated: true },
    });
    const producer = { id: "p", generation: 0, sequence: 0 };
    expect(await client.append("t", [{ text: "a" }], { producer })).toEqual({
      firstOffset: 3,
      nextOffset: 4,
      epoch: 7,
      isRepeated: true,
    });
    expect((await client.append("t", [{ text: "a" }], { expectedOffset: 3 })).firstOffset).toBe(3);
    await expect(client.append("t", [{ text: "a" }])).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("says that the outcome is unknown when a retry meets a conflict", async () => {
    const { client } = await open({
      append: (_request, call) => ({ code: call === 0 ? status.UNAVAILABLE : status.ABORTED, details: "it ends at 4" }),
    });
    await expect(client.append("t", [{ text: "a" }], { expectedOffset: 3 })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("unknown"),
    });
  });
});
