import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channel, ChannelClosedError, ChannelFullError, yieldToEventLoop } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";

const capacity = 10;
const end = { done: true, value: undefined } as const;
const anyWeight = fc.integer({ min: 1, max: capacity + 4 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("send" as const), weight: anyWeight }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("try" as const), weight: anyWeight }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("receive" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("many" as const), most: fc.integer({ min: 0, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("take" as const), most: fc.integer({ min: 0, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("abort" as const), pick: fc.nat() }) },
);

interface Item {
  readonly id: number;
  readonly weight: number;
}
interface Send {
  readonly item: Item;
  readonly controller: AbortController;
  outcome: unknown;
}

/** A model of the channel: one array of its items, and one of the sends that wait for room. */
class Model {
  buffer: Item[] = [];
  waiting: Send[] = [];

  get weight(): number {
    return this.buffer.reduce((sum, item) => sum + item.weight, 0);
  }

  fits(item: Item): boolean {
    return this.buffer.length === 0 || this.weight + item.weight <= capacity;
  }

  settle(): void {
    for (let first = this.waiting[0]; first !== undefined && this.fits(first.item); first = this.waiting[0]) {
      this.buffer.push(first.item);
      this.waiting = this.waiting.slice(1);
    }
  }

  take(most: number): Item[] {
    const taken: Item[] = [];
    let left = most;
    for (let item = this.buffer[0]; item !== undefined && item.weight <= left; item = this.buffer[0]) {
      taken.push(item);
      left -= item.weight;
      this.buffer = this.buffer.slice(1);
    }
    this.settle();
    return taken;
  }
}

test("channel, holds and returns the same items as an array model, with sends, aborts, drains and the end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom("close", "fail"), async (steps, ending) => {
      const { sender, receiver } = channel<Item>({ capacity, weigh: (item) => item.weight });
      const model = new Model();
      const sends: Send[] = [];
      let id = 0;

      for (const one of steps) {
        switch (one.kind) {
          case "send": {
            const send: Send = {
              item: { id: id++, weight: one.weight },
              controller: new AbortController(),
              outcome: "waits",
            };
            sends.push(send);
            sender.send(send.item, send.controller.signal).then(
              () => (send.outcome = "sent"),
              () => (send.outcome = "aborted"),
            );
            model.waiting.push(send);
            model.settle();
            break;
          }
          case "try": {
            const item = { id: id++, weight: one.weight };
            const isTaken = model.waiting.length === 0 && model.fits(item);
            expect(sender.trySend(item)).toBe(isTaken);
            if (isTaken) model.buffer.push(item);
            break;
          }
          case "receive": {
            const first = model.buffer[0];
            if (first === undefined) break;
            expect(await receiver.receive()).toEqual({ done: false, value: first });
            model.take(first.weight).forEach((item, index) => expect([item, index]).toEqual([first, 0]));
            break;
          }
          case "many": {
            const first = model.buffer[0];
            if (first === undefined) break;
            expect(await receiver.receiveMany(one.most)).toEqual(model.take(Math.max(one.most, first.weight)));
            break;
          }
          case "take":
            expect(receiver.takeAvailable(one.most)).toEqual(model.take(one.most));
            break;
          case "abort": {
            const send = model.waiting[one.pick % Math.max(1, model.waiting.length)];
            if (send === undefined) break;
            send.controller.abort();
            model.waiting = model.waiting.filter((other) => other !== send);
            model.settle();
            break;
          }
        }
        await yieldToEventLoop();
        expect([sender.size, sender.weight, sender.waiting]).toEqual([
          model.buffer.length,
          model.weight,
          model.waiting.length,
        ]);
        expect(sender.weight <= capacity || sender.size === 1).toBe(true);
        expect(sends.filter((send) => send.outcome === "waits")).toEqual(model.waiting);
        expect(sends.filter((send) => abortListeners(send.controller.signal) > 0)).toEqual(model.waiting);
      }

      const rest = [...model.buffer, ...model.waiting.map((send) => send.item)];
      if (ending === "close") sender.close();
      else sender.fail(new Error("broken"));
      for (const item of rest) expect(await receiver.receive()).toEqual({ done: false, value: item });
      if (ending === "fail") await expect(receiver.receive()).rejects.toThrow("broken");
      expect([await receiver.receive(), await receiver.receiveMany(1), receiver.takeAvailable(1)]).toEqual([
        end,
        [],
        [],
      ]);
      expect(sends.filter((send) => send.outcome === "waits")).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("channel, delivers every item of many producers once, each producer's in order, to one slow consumer", async () => {
  const { sender, receiver } = channel<{ producer: number; count: number }>({ capacity: 3 });
  const producers = Array.from({ length: 8 }, async (_, producer) => {
    for (let count = 0; count < 200; count += 1) await sender.send({ producer, count });
  });
  void Promise.all(producers).then(() => sender.close());
  const next = new Map<number, number>();
  for await (const { producer, count } of receiver) {
    expect(sender.size).toBeLessThanOrEqual(3);
    expect(count).toBe(next.get(producer) ?? 0);
    next.set(producer, count + 1);
  }
  expect([...next.values()]).toEqual(Array.from({ length: 8 }, () => 200));
});

test("Sender.send(), admits waiting sends first come, first served", async () => {
  const { sender, receiver } = channel<number>({ capacity: 1 });
  const sent: number[] = [];
  const sends = [0, 1, 2, 3].map((item) => sender.send(item).then(() => sent.push(item)));
  for (const expected of [0, 1, 2, 3]) expect(await receiver.receive()).toEqual({ done: false, value: expected });
  await Promise.all(sends);
  expect(sent).toEqual([0, 1, 2, 3]);
});

test("Sender.send(), admits the sends that fit when a heavy one before them aborts", async () => {
  const { sender } = channel<number>({ capacity: 10, weigh: (item) => item });
  await sender.send(5);
  const controller = new AbortController();
  const heavy = sender.send(9, controller.signal);
  const light = sender.send(2);
  expect(sender.waiting).toBe(2);
  controller.abort(new Error("left"));
  await expect(heavy).rejects.toThrow("left");
  await light;
  expect([sender.size, sender.weight, sender.waiting]).toEqual([2, 7, 0]);
});

test('Sender.send(), rejects when the channel is full and its overflow is "fail"', async () => {
  const { sender } = channel<number>({ capacity: 1, overflow: "fail" });
  await sender.send(1);
  await expect(sender.send(2)).rejects.toThrow(ChannelFullError);
  expect(sender.size).toBe(1);
});

describe("Sender, once it cannot send", () => {
  test("send() rejects and trySend() throws after close and after fail; only the first of these counts", async () => {
    const { sender, receiver } = channel<number>({ capacity: 1 });
    sender.close();
    sender.fail(new Error("too late"));
    await expect(sender.send(1)).rejects.toThrow("Cannot send: the channel is closed");
    expect(() => sender.trySend(1)).toThrow(ChannelClosedError);
    expect(await receiver.receive()).toEqual(end);
    await expect(sender.send(1)).rejects.toThrow("Cannot send: the channel is closed");
  });

  test("send() rejects when the receiver has left, also a waiting send", async () => {
    const { sender, receiver } = channel<number>({ capacity: 1 });
    const { signal } = new AbortController();
    await sender.send(1);
    const waiting = sender.send(2, signal);
    receiver.close();
    await expect(waiting).rejects.toThrow("Cannot send: the receiver is gone");
    await expect(sender.send(3)).rejects.toThrow("Cannot send: the receiver is gone");
    expect([sender.size, sender.weight, abortListeners(signal)]).toEqual([0, 0, 0]);
    expect(await receiver.receive()).toEqual(end);
  });
});

describe("Receiver", () => {
  test("receive(), waits until an item, the end or the error comes", async () => {
    for (const finish of ["item", "close", "fail"] as const) {
      const { sender, receiver } = channel<number>({ capacity: 1 });
      const { signal } = new AbortController();
      const parked = receiver.receive(signal);
      await yieldToEventLoop();
      expect(abortListeners(signal)).toBe(1);
      if (finish === "item") {
        expect(sender.trySend(1)).toBe(true);
        expect(await parked).toEqual({ done: false, value: 1 });
      } else if (finish === "close") {
        sender.close();
        expect(await parked).toEqual(end);
      } else {
        sender.fail(undefined);
        await expect(parked).rejects.toBeUndefined();
        expect(await receiver.receive()).toEqual(end);
      }
      expect(abortListeners(signal)).toBe(0);
    }
  });

  test("receive(), rejects on abort without losing an item, even one that came in the same turn", async () => {
    const { sender, receiver } = channel<number>({ capacity: 5 });
    const controller = new AbortController();
    const parked = receiver.receive(controller.signal);
    controller.abort(new Error("left"));
    sender.trySend(1);
    await expect(parked).rejects.toThrow("left");
    await expect(receiver.receive(controller.signal)).rejects.toThrow("left");
    expect(abortListeners(controller.signal)).toBe(0);
    expect(await receiver.receive()).toEqual({ done: false, value: 1 });
  });

  test("receiveMany(), takes all queued items up to maxWeight, and the first one however heavy", async () => {
    const { sender, receiver } = channel<number>({ capacity: 100, weigh: (item) => item });
    const parked = receiver.receiveMany(10);
    await sender.send(50);
    expect(await parked).toEqual([50]);
    for (const item of [4, 5, 6]) await sender.send(item);
    expect(await receiver.receiveMany(10)).toEqual([4, 5]);
    expect(receiver.takeAvailable(5)).toEqual([]);
    expect(receiver.takeAvailable(6)).toEqual([6]);
  });

  test("its iterator ends a pending next() at return(), drops the remaining items, and stays at the end", async () => {
    const { sender, receiver } = channel<number>({ capacity: 5 });
    const iterator = receiver[Symbol.asyncIterator]();
    const parked = iterator.next();
    await yieldToEventLoop();
    await iterator.return?.();
    expect(await parked).toEqual(end);
    expect(await iterator.next()).toEqual(end);
    await expect(sender.send(1)).rejects.toThrow("the receiver is gone");
  });

  test("its iterator returns the items before an error, throws the error once, and then ends", async () => {
    const { sender, receiver } = channel<number>({ capacity: 5 });
    for (const item of [1, 2]) await sender.send(item);
    sender.fail(new Error("broken"));
    const seen: number[] = [];
    const loop = async () => {
      for await (const item of receiver) seen.push(item);
    };
    await expect(loop()).rejects.toThrow("broken");
    await loop();
    expect(seen).toEqual([1, 2]);
  });
});

test("channel, refuses a capacity without a bound and items that weigh nothing", async () => {
  for (const wrong of [0, -1, Number.NaN, Infinity]) expect(() => channel({ capacity: wrong })).toThrow(RangeError);
  const { sender } = channel<number>({ capacity: 1, weigh: (item) => item });
  await expect(sender.send(0)).rejects.toThrow(RangeError);
  expect(() => sender.trySend(Number.NaN)).toThrow(RangeError);
});
