import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import {
  type ConsumeEvent,
  type ConsumeOptions,
  type ConsumeTarget,
  createClient,
  type Delivery,
  type DeliveryBatch,
  type MillraceClient,
} from "../../src/client/index.js";
import { manualTimers } from "./manual-timers.js";
import {
  confirmedMessage,
  eventMessage,
  recordsAt,
  type ScriptedGroup,
  scriptedGroup,
  startedAt,
  upTo,
  windowChanged,
} from "./scripted-group.js";
import type { Timers } from "../../src/streams/index.js";
import type { CommitRequest } from "../../src/gen/millrace/v1/subscription_service.js";
import {
  type ConsumeCall,
  endWith,
  type Script,
  type ScriptedServer,
  startScriptedServer,
  statusWith,
} from "./scripted-server.js";

const opened: { server: ScriptedServer; client: MillraceClient }[] = [];

afterEach(() => {
  for (const { client, server } of opened.splice(0)) {
    client.close();
    server.close();
  }
});

async function open(script: Script, timers?: Timers) {
  const server = await startScriptedServer(script);
  const client = createClient({ address: server.address }, timers);
  opened.push({ server, client });
  const consume = (options: ConsumeOptions = {}, target: ConsumeTarget = "s") =>
    client.consume(target, { backoff: { minMs: 1, maxMs: 10 }, ...options });
  return { server, client, consume };
}

/** A server that hands out these messages in every call, and confirms what it is told. */
async function openGroup(
  messages: readonly (readonly number[])[],
  script: Script = {},
  ackDeadlineMs = 30_000,
  sharing: "shared" | "exclusive" = "shared",
  timers?: Timers,
) {
  const group = scriptedGroup();
  let call: ConsumeCall | undefined;
  const opening = await open(
    {
      consume(stream) {
        call = stream;
        group.serve(stream, () => {
          stream.write(startedAt(0, { ackDeadlineMs, sharing }));
          for (const offsets of messages) stream.write(recordsAt(offsets));
        });
      },
      ...script,
    },
    timers,
  );
  return { ...opening, group, call: () => call as ConsumeCall };
}

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

describe("for await (… of consume())", () => {
  test("acknowledges each record when the next is asked for", async () => {
    const { consume, group } = await openGroup([upTo(10), upTo(5, 10)]);
    const seen: number[] = [];
    const consumption = consume();
    for await (const { offset, attempt, record } of consumption) {
      expect(attempt).toBe(1);
      expect(record.key).toBe(String(offset));
      seen.push(offset);
      if (offset === 13) void consumption.stop();
    }
    expect(seen).toEqual(upTo(14));
    expect(sorted(group.acknowledged)).toEqual(upTo(14));
    expect(group.released).toEqual([14]);
    expect(group.said.at(-1)).toMatchObject({ acknowledge: [{ offsets: { nextOffset: 14 } }] });
  });

  test("rejects the record at which it is left, and gives back the rest", async () => {
    for (const leave of ["break", "throw"] as const) {
      const { consume, group } = await openGroup([upTo(6)]);
      const looping = async () => {
        for await (const { offset } of consume()) {
          if (offset < 2) continue;
          if (leave === "break") break;
          throw new Error("no more");
        }
      };
      if (leave === "break") await looping();
      else await expect(looping()).rejects.toThrow("no more");
      expect(sorted(group.acknowledged)).toEqual([0, 1]);
      expect(group.rejected).toEqual([{ offset: 2, reason: "the loop ended at this record", delayMs: undefined }]);
      expect(group.released).toEqual([3, 4, 5]);
    }
  });

  test("leaves alone what a body has settled, and tells what the server confirmed", async () => {
    const { consume, group } = await openGroup([upTo(6)]);
    group.stale.add(1);
    const answers: Promise<string>[] = [];
    const consumption = consume();
    for await (const delivery of consumption) {
      const { offset } = delivery;
      if (offset < 2) answers.push(delivery.acknowledge());
      if (offset === 2) answers.push(delivery.reject({ delayMs: 1500, reason: "later" }));
      if (offset === 3) answers.push(delivery.park("never"));
      if (offset === 4) answers.push(delivery.release());
      // The first verdict counts.
      if (offset < 5) answers.push(delivery.park());
      if (offset === 5) void consumption.stop();
    }
    const told = await Promise.all(answers);
    expect(told.filter((_, index) => index % 2 === 0)).toEqual([
      "acknowledged",
      "stale",
      "rejected",
      "parked",
      "released",
    ]);
    expect(new Set(told.filter((_, index) => index % 2 === 1))).toEqual(new Set(["stale"]));
    expect(sorted(group.acknowledged)).toEqual([0, 1, 5]);
    expect(group.rejected).toEqual([{ offset: 2, reason: "later", delayMs: 1500 }]);
    expect(group.said.flatMap(({ park }) => park)).toMatchObject([{ offsets: { firstOffset: 3 }, reason: "never" }]);
  });

  test("names the attempt that each record was delivered with", async () => {
    const { consume, group, call } = await openGroup([[0, 1]]);
    const consumption = consume();
    const verdicts: Record<number, (delivery: Delivery) => unknown> = {
      0: (delivery) => delivery.release(),
      1: () => call().write(recordsAt([2, 3], 2)),
      2: (delivery) => delivery.reject({ delayMs: 0 }),
      3: () => call().write(recordsAt([4], 7)),
      4: (delivery) => {
        delivery.extend();
        void delivery.park();
        void consumption.stop();
      },
    };
    for await (const delivery of consumption) verdicts[delivery.offset]?.(delivery);
    const said = (kind: "acknowledge" | "reject" | "extend" | "park" | "release") =>
      group.said.flatMap((request) => request[kind]).map(({ offsets, attempt }) => [offsets?.firstOffset, attempt]);
    expect(said("release")).toEqual([[0, 1]]);
    expect(said("acknowledge")).toEqual([
      [1, 1],
      [3, 2],
    ]);
    expect(said("reject")).toEqual([[2, 2]]);
    expect(said("extend")).toEqual([[4, 7]]);
    expect(said("park")).toEqual([[4, 7]]);
  });

  test("keeps the deliveries of a record apart: what is answered late is about the earlier one", async () => {
    const group = scriptedGroup();
    group.isSilent = true;
    let call: ConsumeCall | undefined;
    const { consume } = await open({
      consume(stream) {
        call = stream;
        group.serve(stream, () => {
          stream.write(startedAt(0));
          stream.write(recordsAt([0, 1]));
        });
      },
    });
    const consumption = consume();
    const loop = consumption[Symbol.asyncIterator]();
    const next = async (): Promise<Delivery> => (await loop.next()).value as Delivery;
    const answer = (await next()).acknowledge();
    await expect.poll(() => group.acknowledged).toEqual([0]);
    // Its deadline had passed before that was heard.
    call?.write(recordsAt([0], 2));
    expect(await answer).toBe("stale");
    expect((await next()).offset).toBe(1);
    const second = await next();
    expect([second.offset, second.attempt]).toEqual([0, 2]);
    const confirmed = second.acknowledge();
    await expect.poll(() => group.acknowledged).toEqual([0, 1, 0]);
    // An answer to the first, and then to the second.
    call?.write(confirmedMessage({ stale: [[0, 1]] }));
    call?.write(confirmedMessage({ acknowledged: [0, 1] }));
    expect(await confirmed).toBe("acknowledged");
    group.isSilent = false;
    await loop.return?.();
  });

  test("loses what is stale of the attempt that it has, in hand or not, and nothing of another", async () => {
    const group = scriptedGroup();
    group.isSilent = true;
    let call: ConsumeCall | undefined;
    const { consume } = await open({
      consume(stream) {
        call = stream;
        group.serve(stream, () => {
          stream.write(startedAt(0));
          stream.write(recordsAt([0, 1, 2, 3], 2));
        });
      },
    });
    const consumption = consume();
    const deliveries = consumption[Symbol.asyncIterator]();
    const held = (await deliveries.next()).value as Delivery;
    await expect.poll(() => consumption.outstanding).toBe(4);
    call?.write(
      confirmedMessage({
        stale: [
          [0, 1],
          [1, 1],
          [2, 2],
          // Any.
          [3, 0],
        ],
      }),
    );
    await expect.poll(() => consumption.outstanding).toBe(2);
    expect(held.signal.aborted).toBe(false);
    call?.write(confirmedMessage({ stale: [[0, 2]] }));
    await expect.poll(() => held.signal.aborted).toBe(true);
    const left = (await deliveries.next()).value as Delivery;
    expect([left.offset, left.attempt]).toEqual([1, 2]);
    group.isSilent = false;
    await deliveries.return?.();
  });

  test("says all of one turn in one message, with neighbours as one range", async () => {
    const { consume, group } = await openGroup([upTo(600), [2000], upTo(400, 600)]);
    const consumption = consume();
    const loop = consumption[Symbol.asyncIterator]();
    const first = await loop.next();
    await expect.poll(() => consumption.outstanding).toBe(1001);
    const deliveries = [first.value];
    while (deliveries.length < 1001) deliveries.push((await loop.next()).value);
    await deliveries.at(-1)?.acknowledge();
    expect(group.said.map(({ acknowledge }) => acknowledge)).toEqual([
      [
        { offsets: { firstOffset: 0, nextOffset: 1000 }, attempt: 1 },
        { offsets: { firstOffset: 2000, nextOffset: 2001 }, attempt: 1 },
      ],
    ]);
    await loop.return?.();
  });

  test("ends with OK after `closed`, and throws what no retry can heal", async () => {
    const seen: string[] = [];
    const { consume } = await open({
      consume(stream) {
        stream.write(startedAt(0));
        stream.write(eventMessage({ $case: "closed", value: {} }));
        stream.end();
      },
    });
    for await (const { offset } of consume({ onEvent: ({ type }) => seen.push(type) })) seen.push(String(offset));
    expect(seen).toEqual(["started", "closed"]);

    const refusals = {
      NotFoundError: [status.NOT_FOUND, "SUBSCRIPTION_NOT_FOUND"],
      FailedPreconditionError: [status.FAILED_PRECONDITION, "CONSUMER_FENCED"],
      ClientError: [status.RESOURCE_EXHAUSTED, "CONSUMER_LIMIT"],
      DataLossError: [status.DATA_LOSS, "DATA_LOSS"],
    } as const;
    for (const [name, [code, reason]] of Object.entries(refusals)) {
      const refusing = await open({
        consume(stream) {
          stream.write(startedAt(0));
          stream.write(recordsAt([0]), () => setImmediate(() => endWith(stream, code, { reason })));
        },
      });
      const consumption = refusing.consume();
      let held: Delivery | undefined;
      const looping = async () => {
        for await (const delivery of consumption) {
          held = delivery;
          await new Promise((resolve) => delivery.signal.addEventListener("abort", resolve));
        }
      };
      await expect(looping()).rejects.toMatchObject({ name, reason });
      expect(held?.signal.aborted).toBe(true);
      expect(await held?.acknowledge()).toBe("stale");
      await consumption.stop();
    }
  });

  test("comes back after every kind of lost connection; what was in hand is lost", async () => {
    const ends: ((stream: ConsumeCall) => void)[] = [
      (stream) => endWith(stream, status.UNAVAILABLE),
      (stream) => endWith(stream, status.CANCELLED),
      () => server.breakConnections(),
      (stream) => stream.end(),
    ];
    const group = scriptedGroup();
    const events: ConsumeEvent["type"][] = [];
    const { server, consume } = await open({
      consume(stream, call) {
        group.serve(stream, () => {
          stream.write(startedAt(0));
          stream.write(recordsAt([call, 100 + call], 1 + call));
        });
        // The second record is never confirmed.
        stream.on("data", ({ acknowledge }) => {
          if (acknowledge.length > 0 && call < 4) setImmediate(() => ends[call]?.(stream));
        });
      },
    });
    const lost: number[] = [];
    const answers: (string | undefined)[] = [];
    const attempts: number[] = [];
    const consumption = consume({ consumer: "me", onEvent: ({ type }) => events.push(type) });
    for await (const delivery of consumption) {
      attempts.push(delivery.attempt);
      if (delivery.offset < 100) continue;
      if (delivery.offset === 104) {
        await delivery.acknowledge();
        break;
      }
      await new Promise((resolve) => delivery.signal.addEventListener("abort", resolve));
      lost.push(delivery.offset);
      answers.push(await delivery.acknowledge());
    }
    expect(lost).toEqual([100, 101, 102, 103]);
    expect(answers).toEqual(Array.from(lost, () => "stale"));
    expect(attempts).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect(events.filter((type) => type === "reconnecting").length).toBeGreaterThanOrEqual(4);
    expect(group.openings.every(({ subscription, consumer }) => subscription === "s" && consumer === "me")).toBe(true);
  });

  test("ends at once when its signal aborts", async () => {
    let cancelled = 0;
    const group = scriptedGroup();
    const { consume } = await open({
      consume(stream) {
        stream.on("cancelled", () => {
          cancelled += 1;
        });
        group.serve(stream, () => {
          stream.write(startedAt(0));
          stream.write(recordsAt([0]));
        });
      },
    });
    const stop = new AbortController();
    const loop = consume({ signal: stop.signal })[Symbol.asyncIterator]();
    const { value: delivery } = await loop.next();
    const parked = loop.next();
    stop.abort(new Error("enough"));
    await expect(parked).rejects.toThrow("enough");
    expect(delivery?.offset).toBe(0);
    expect(await loop.next()).toEqual({ done: true, value: undefined });
    await expect.poll(() => cancelled).toBe(1);
  });

  test("is used once, and not at all after stop()", async () => {
    const { consume } = await openGroup([upTo(3)]);
    const consumption = consume();
    for await (const delivery of consumption) if (delivery.offset === 1) break;
    await expect(consumption.forEach(() => {})).resolves.toBeUndefined();
    const running = consume();
    const loop = running[Symbol.asyncIterator]();
    await loop.next();
    await expect(running.forEach(() => {})).rejects.toThrow("iterated once");
    await loop.return?.();
    const stopped = consume();
    await stopped.stop();
    for await (const delivery of stopped) throw new Error(`gave ${delivery.offset}`);
  });
});

describe("Consumption.forEach()", () => {
  test("works on so many at once, rejects those that throw, and goes on", async () => {
    const { consume, group } = await openGroup([upTo(20), upTo(20, 20)]);
    let atWork = 0;
    let most = 0;
    const consumption = consume();
    const done: number[] = [];
    await consumption.forEach(
      async ({ offset }) => {
        atWork += 1;
        most = Math.max(most, atWork);
        await new Promise((resolve) => setImmediate(resolve));
        atWork -= 1;
        done.push(offset);
        if (done.length === 40) void consumption.stop();
        if (offset % 10 === 3) throw new Error(`bad ${offset}`);
      },
      { concurrency: 7 },
    );
    expect(most).toBe(7);
    expect(sorted(done)).toEqual(upTo(40));
    expect(group.rejected.map(({ offset, reason }) => `${offset} ${reason}`)).toEqual([
      "3 bad 3",
      "13 bad 13",
      "23 bad 23",
      "33 bad 33",
    ]);
    expect(sorted(group.acknowledged)).toEqual(upTo(40).filter((offset) => offset % 10 !== 3));
  });

  test("takes handlers that do not wait, and cuts reasons to what the service keeps", async () => {
    const { consume, group } = await openGroup([upTo(5)]);
    const consumption = consume();
    await consumption.forEach(({ offset }) => {
      if (offset === 4) void consumption.stop();
      if (offset === 1) throw new Error("ß".repeat(1000));
    });
    expect(sorted(group.acknowledged)).toEqual([0, 2, 3, 4]);
    expect(group.rejected.map(({ reason }) => reason)).toEqual(["ß".repeat(512)]);
  });

  test("begins nothing more once its signal aborts", async () => {
    const { consume } = await openGroup([[0, 1, 2, 3]]);
    const stop = new AbortController();
    const begun: number[] = [];
    const working = consume({ signal: stop.signal }).forEach(({ offset }) => {
      begun.push(offset);
      stop.abort(new Error("enough"));
    });
    await expect(working).rejects.toThrow("enough");
    expect(begun).toEqual([0]);
  });

  test("stop() finishes what is in hand, gives back the rest, and waits for the confirmations", async () => {
    const { consume, group } = await openGroup([upTo(10)]);
    const finish: (() => void)[] = [];
    const answers: Promise<string>[] = [];
    const consumption = consume();
    const working = consumption.forEach(
      async (delivery) => {
        await new Promise<void>((resolve) => finish.push(resolve));
        answers.push(delivery.acknowledge());
      },
      { concurrency: 2 },
    );
    await expect.poll(() => finish.length).toBe(2);
    expect(consumption.outstanding).toBe(10);
    let isStopped = false;
    const stopping = consumption.stop().then(() => {
      isStopped = true;
    });
    await expect.poll(() => group.released).toEqual(upTo(8, 2));
    expect(group.said[0]?.window).toEqual({ records: 0, bytes: 0 });
    expect(isStopped).toBe(false);
    for (const resolve of finish) resolve();
    await stopping;
    await working;
    expect(await Promise.all(answers)).toEqual(["acknowledged", "acknowledged"]);
    expect(finish.length).toBe(2);
    expect(consumption.outstanding).toBe(0);
  });

  test("stop() releases what was on its way, before it ends its side", async () => {
    const group = scriptedGroup();
    group.isSilent = true;
    let call: ConsumeCall | undefined;
    let isHalfClosed = false;
    const { consume } = await open({
      consume(stream) {
        call = stream;
        stream.on("end", () => (isHalfClosed = true));
        group.serve(stream, () => {
          stream.write(startedAt(0));
          stream.write(recordsAt([0]));
        });
      },
    });
    const consumption = consume();
    const working = consumption.forEach(() => void consumption.stop());
    await expect.poll(() => group.said.at(-1)?.window?.records).toBe(0);
    await expect.poll(() => group.acknowledged).toEqual([0]);
    expect(isHalfClosed).toBe(false);
    call?.write(recordsAt([1, 2], 3));
    call?.write(windowChanged(0));
    await working;
    expect(group.said.at(-1)?.release).toEqual([{ offsets: { firstOffset: 1, nextOffset: 3 }, attempt: 3 }]);
    expect(isHalfClosed).toBe(true);
  });

  test("stop() ends a consumption that is paused", async () => {
    const { consume, group } = await openGroup([[0, 1]]);
    const consumption = consume();
    await consumption.forEach(async ({ offset }) => {
      consumption.setWindow({ records: 0, bytes: 0 });
      if (offset === 1) void consumption.stop();
      await expect.poll(() => group.said.some(({ window }) => window?.records === 0)).toBe(true);
    });
    expect(sorted(group.acknowledged)).toEqual([0, 1]);
    const paused = consume({ window: { records: 0, bytes: 0 } });
    const working = paused.forEach(() => {});
    await expect.poll(() => group.openings.length).toBe(2);
    await paused.stop();
    await working;
  });

  test("stop() ends the wait for a server that is away", async () => {
    const { consume } = await open({ consume: (stream) => endWith(stream, status.UNAVAILABLE) });
    let lost = 0;
    const consumption = consume({
      backoff: { minMs: 60_000, maxMs: 60_000, random: () => 0.99 },
      onEvent() {
        lost += 1;
      },
    });
    const working = consumption.forEach(() => {});
    await expect.poll(() => lost).toBe(1);
    await consumption.stop();
    await working;
  });
});

describe("Consumption.batches()", () => {
  test("gives whole messages, and settles them as ranges", async () => {
    const { consume, group } = await openGroup([upTo(500), [900, 901, 950], [960]]);
    group.stale.add(950);
    const answers: string[] = [];
    const sizes: number[] = [];
    const consumption = consume();
    for await (const batch of consumption.batches()) {
      sizes.push(batch.records.length);
      answers.push(await batch.acknowledge());
      if (sizes.length === 3) break;
    }
    expect(sizes).toEqual([500, 3, 1]);
    expect(answers).toEqual(["acknowledged", "stale", "acknowledged"]);
    expect(group.said.map(({ acknowledge }) => acknowledge.length).filter((ranges) => ranges > 0)).toEqual([1, 2, 1]);
  });

  test("acknowledges nothing by itself, and rejects what is in hand when it is left", async () => {
    for (const leave of ["break", "throw"] as const) {
      const { consume, group } = await openGroup([[0, 1], [2, 3], [4, 5], [6]]);
      const taken: DeliveryBatch[] = [];
      const consumption = consume();
      const looping = async () => {
        for await (const batch of consumption.batches()) {
          taken.push(batch);
          if (taken.length === 1) await batch.acknowledge();
          if (taken.length < 3) continue;
          await expect.poll(() => consumption.outstanding).toBe(5);
          if (leave === "break") break;
          throw new Error("no more");
        }
      };
      if (leave === "break") await looping();
      else await expect(looping()).rejects.toThrow("no more");
      expect(group.acknowledged).toEqual([0, 1]);
      const reason = "the loop ended at this record";
      expect(group.rejected).toEqual([2, 3, 4, 5].map((offset) => ({ offset, reason, delayMs: undefined })));
      expect(group.released).toEqual([6]);
      expect(await taken[1]?.acknowledge()).toBe("stale");
    }
  });
});

describe("setWindow()", () => {
  test("is told while a call goes on, and opens the next", async () => {
    const group = scriptedGroup();
    const { consume } = await open({
      consume(stream, call) {
        group.serve(stream, () => {
          stream.write(startedAt(0));
          stream.write(recordsAt([call]));
        });
        stream.on("data", ({ window }) => {
          if (window?.records === 5) endWith(stream, status.UNAVAILABLE);
        });
      },
    });
    const consumption = consume({ window: { records: 3 } });
    expect(consumption.window).toEqual({ records: 3, bytes: 4_194_304 });
    expect(() => consumption.setWindow({ records: -1 })).toThrow("window.records");
    expect(() => consumption.setWindow({ bytes: 65 * 1_048_576 })).toThrow("window.bytes");
    for await (const { offset } of consumption) {
      if (offset === 0) consumption.setWindow({ records: 5 });
      else break;
    }
    expect(group.openings.map(({ window }) => window)).toEqual([
      { records: 3, bytes: 4_194_304 },
      { records: 5, bytes: 4_194_304 },
    ]);
  });

  test("stays what the user asked for where the server grants less", async () => {
    const { consume, group, call } = await openGroup([[0, 1, 2]]);
    const granted: (number | string)[] = [];
    const consumption = consume({
      window: { records: 100 },
      onEvent: (event) => granted.push(event.type === "window-changed" ? event.window.records : event.type),
    });
    for await (const { offset } of consumption) {
      if (offset === 0) call().write(windowChanged(2));
      // As a node without any room.
      if (offset === 1) call().write(windowChanged(0));
      await expect.poll(() => granted.length).toBe(Math.min(offset, 1) + 2);
      expect(consumption.window.records).toBe(100);
      if (offset === 2) void consumption.stop();
    }
    expect(sorted(group.acknowledged)).toEqual([0, 1, 2]);
    expect(group.released).toEqual([]);
    expect(granted).toEqual(["started", 2, 0, 0]);
  });
});

describe("deadlines", () => {
  const isExtended = (group: ScriptedGroup, offset: number, times: number) =>
    expect.poll(() => group.extended.filter((each) => each === offset).length).toBeGreaterThanOrEqual(times);
  const ackDeadlineMs = 8000;
  const halfMs = ackDeadlineMs / 2;

  test("of what is in hand are extended, again and again; what nobody began in time is released", async () => {
    const timers = manualTimers();
    const { consume, group } = await openGroup([upTo(3)], {}, ackDeadlineMs, "shared", timers);
    const consumption = consume();
    await consumption.forEach(async ({ offset, signal }) => {
      expect(offset).toBe(0);
      await expect.poll(() => consumption.outstanding).toBe(3);
      for (const times of [1, 2, 3]) {
        timers.pass(halfMs);
        await isExtended(group, 0, times);
      }
      expect(signal.aborted).toBe(false);
      void consumption.stop();
    });
    expect(group.acknowledged).toEqual([0]);
    expect(group.released).toEqual([1, 2]);
    expect(new Set(group.extended)).toEqual(new Set([0]));
  });

  test("follow the clock that the client was given", async () => {
    const timers = manualTimers();
    const { consume, group } = await openGroup([upTo(3)], {}, ackDeadlineMs, "shared", timers);
    const consumption = consume();
    const loop = consumption[Symbol.asyncIterator]();
    await loop.next();
    timers.pass(halfMs - 1);
    timers.pass(1);
    await expect.poll(() => group.said.length).toBe(1);
    expect(group.said[0]).toMatchObject({
      extend: [{ offsets: { firstOffset: 0, nextOffset: 1 }, attempt: 1, by: undefined }],
      release: [{ offsets: { firstOffset: 1, nextOffset: 3 }, attempt: 1 }],
      window: { records: 1 },
    });
    expect(consumption.window.records).toBe(1000);
    await loop.return?.();
    expect(timers.running).toBe(0);
  });

  test("of what nobody took are extended where nobody else can get it", async () => {
    const timers = manualTimers();
    const { consume, group } = await openGroup([upTo(3)], {}, ackDeadlineMs, "exclusive", timers);
    const consumption = consume();
    await consumption.forEach(async ({ offset }) => {
      for (const times of offset === 0 ? [1, 2] : []) {
        timers.pass(halfMs);
        await isExtended(group, 2, times);
      }
      if (offset === 2) void consumption.stop();
    });
    expect(group.released).toEqual([]);
    expect(sorted(group.acknowledged)).toEqual(upTo(3));
  });

  test("pass where nobody extends them, or the server has given the record away", async () => {
    const timers = manualTimers();
    const { consume, group, call } = await openGroup([upTo(3)], {}, ackDeadlineMs, "shared", timers);
    const overdue = consume({ extend: false });
    await overdue.forEach(async (delivery) => {
      void overdue.stop();
      timers.pass(ackDeadlineMs - 1);
      expect(delivery.signal.aborted).toBe(false);
      timers.pass(1);
      expect(delivery.signal.aborted).toBe(true);
      expect(await delivery.acknowledge()).toBe("stale");
    });
    expect(group.extended).toEqual([]);
    expect(group.acknowledged).toEqual([]);

    group.stale.add(0);
    const stale = consume();
    let handed = 0;
    await stale.forEach(async ({ offset, signal }) => {
      handed += 1;
      if (handed > 1) return;
      expect(offset).toBe(0);
      timers.pass(halfMs);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      call().write(recordsAt([0], 2));
      void stale.stop();
    });
  });

  test("extend() asks for as much as it is told", async () => {
    const { consume, group } = await openGroup([[0]]);
    for await (const delivery of consume()) {
      delivery.extend(90_000);
      await isExtended(group, 0, 1);
      await delivery.acknowledge();
      break;
    }
    expect(group.said.flatMap(({ extend }) => extend)).toMatchObject([{ by: { seconds: 90, nanos: 0 } }]);
  });

  test("that passed earlier at the server: what comes again takes over", async () => {
    const { consume, group, call } = await openGroup([upTo(4)]);
    const attempts: string[] = [];
    const consumption = consume();
    for await (const { offset, attempt, signal } of consumption) {
      if (attempts.length === 0) {
        call().write(recordsAt([0, 2], 2));
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      }
      attempts.push(`${offset}:${attempt}`);
      if (attempts.length === 5) void consumption.stop();
    }
    expect(attempts).toEqual(["0:1", "1:1", "3:1", "0:2", "2:2"]);
    expect(sorted(group.acknowledged)).toEqual(upTo(4));
  });
});

describe("an ephemeral consumer", () => {
  test("starts again where all below is confirmed", async () => {
    const group = scriptedGroup();
    const { consume } = await open({
      consume(stream, call) {
        group.serve(stream, () => {
          stream.write(startedAt(call === 0 ? 40 : 42, { session: 0 }));
          stream.write(recordsAt(call === 0 ? [40, 41, 42, 43] : [42, 43]));
        });
        if (call > 0) return;
        stream.on("data", ({ acknowledge }) => {
          if (acknowledge.length > 0) setImmediate(() => endWith(stream, status.UNAVAILABLE));
        });
      },
    });
    const seen: string[] = [];
    for await (const delivery of consume({}, { topic: "t", start: { offset: 40 } })) {
      seen.push(`${delivery.offset}`);
      if (seen.length === 3) {
        // 40 and 41 are done; 43 is done too, but 42 is not.
        await new Promise((resolve) => delivery.signal.addEventListener("abort", resolve));
      }
      if (seen.length === 5) break;
    }
    expect(seen).toEqual(["40", "41", "42", "42", "43"]);
    expect(group.openings.map(({ topic, subscription, start }) => [topic, subscription, start?.at?.$case])).toEqual([
      ["t", "", "offset"],
      ["t", "", "position"],
    ]);
    expect(group.openings[1]?.start?.at).toMatchObject({ value: { epoch: 7, offset: 42 } });
  });
});

describe("commit()", () => {
  const where = { topic: "out", epoch: 3, firstOffset: 5, nextOffset: 6 };

  test("tells session, attempt and outputs, and settles what was committed", async () => {
    const requests: CommitRequest[] = [];
    const { consume, client, group } = await openGroup([upTo(5)], {
      commit(request) {
        requests.push(request);
        return { appended: [where] };
      },
    });
    const consumption = consume();
    const held: Delivery[] = [];
    await consumption.forEach(
      async (delivery) => {
        if (delivery.offset === 4) {
          expect(await delivery.commit([{ topic: "out", records: [{ text: "x" }], expectedOffset: 5 }])).toEqual([
            where,
          ]);
          expect(await delivery.acknowledge()).toBe("stale");
          return;
        }
        held.push(delivery);
        if (held.length < 4) {
          await expect.poll(() => requests.length).toBe(2);
          return;
        }
        const append = [
          { topic: "a", records: [{ key: "k", json: { n: 1 } }, { data: new Uint8Array(200) }], epoch: 9 },
          { topic: "b", records: [{ text: "y" }] },
        ];
        await client.commit("s", { deliveries: held, append });
        await expect(client.commit("s", { deliveries: held, append })).rejects.toThrow("settled already");
        void consumption.stop();
      },
      { concurrency: 5 },
    );
    expect(group.acknowledged).toEqual([]);
    expect(group.rejected).toEqual([]);
    const [one, many] = [...requests].sort((a, b) => a.append.length - b.append.length);
    expect(one).toMatchObject({
      subscription: "s",
      session: 11,
      acknowledge: [{ offsets: { firstOffset: 4, nextOffset: 5 }, attempt: 1 }],
      append: [{ topic: "out", expectedOffset: 5, records: [{ body: { value: "x" } }] }],
    });
    expect(many).toMatchObject({
      acknowledge: [{ offsets: { firstOffset: 0, nextOffset: 4 }, attempt: 1 }],
      append: [
        { topic: "a", epoch: 9, records: [{ key: "k", body: { value: { n: 1 } } }, { body: { $case: "data" } }] },
        { topic: "b", records: [{ body: { value: "y" } }] },
      ],
    });
  });

  test("that failed is never acknowledged, though its body goes on as if nothing had happened", async () => {
    const { consume, group } = await openGroup([upTo(2)], { commit: () => statusWith(status.UNAVAILABLE) });
    const consumption = consume();
    for await (const delivery of consumption) {
      const committing = delivery.commit([{ topic: "out", records: [{ text: "x" }] }]);
      // The second one's body leaves before its outcome is known.
      if (delivery.offset === 0) await committing.catch(() => {});
      else {
        committing.catch(() => {});
        void consumption.stop();
      }
    }
    expect(group.acknowledged).toEqual([]);
    expect(group.rejected.map(({ offset, reason }) => [offset, reason])).toEqual([
      [0, "scripted"],
      [1, "scripted"],
    ]);
  });

  test("refuses what no server could take", async () => {
    const { consume, client } = await openGroup([[0]]);
    const other = await openGroup([[0]]);
    let both: Delivery | undefined;
    for await (const delivery of consume()) {
      both = delivery;
      await expect(client.commit("s", { deliveries: [], append: [] })).rejects.toThrow("acknowledge");
      await expect(client.commit("other", { deliveries: [delivery], append: [] })).rejects.toThrow("subscription");
      await expect(delivery.commit([{ topic: "t", records: [{ key: "\u0000" }] }])).rejects.toThrow(
        "append[0].records[0].key",
      );
      await delivery.release();
      break;
    }
    await expect(both?.commit([])).rejects.toThrow("settled already");
    for await (const delivery of other.consume({}, { topic: "t" })) {
      await expect(delivery.commit([])).rejects.toThrow("ephemeral");
      break;
    }
  });
});
