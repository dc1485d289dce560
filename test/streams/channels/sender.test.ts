import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  channel,
  ChannelClosedError,
  ChannelFullError,
  collect,
  type Overflow,
  type Sender,
  type Slot,
  sleep,
  yieldToEventLoop,
} from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";

const capacity = 10;
const end = { done: true, value: undefined } as const;

interface Item {
  readonly id: number;
  readonly weight: number;
}
interface Ask {
  readonly kind: "send" | "reserve";
  readonly item: Item;
  readonly controller: AbortController;
  /** "waits" until the call settles; then "done", or its error. */
  outcome: string;
  slot: Slot<Item> | undefined;
}

/** A model of the channel: arrays of its items, of the waits for room, and of the slots. */
class Model {
  buffer: Item[] = [];
  line: Ask[] = [];
  slots: Ask[] = [];
  dropped = 0;
  handles = 1;

  constructor(readonly overflow: Overflow) {}

  get weight(): number {
    return this.buffer.reduce((sum, item) => sum + item.weight, 0);
  }

  get taken(): number {
    return this.weight + this.slots.reduce((sum, { item }) => sum + item.weight, 0);
  }

  get isEnding(): boolean {
    return this.handles + this.slots.length + this.line.filter(({ kind }) => kind === "reserve").length === 0;
  }

  fits({ weight }: Item): boolean {
    return this.taken === 0 || this.taken + weight <= capacity;
  }

  /** Whether the call has room now, waits for it, or fails. */
  ask(ask: Ask): "done" | "waits" | "full" {
    if (this.line.length === 0 && this.fits(ask.item)) {
      this.admit(ask);
      return "done";
    }
    if (this.overflow === "fail") return "full";
    if (ask.kind === "reserve" || this.overflow === "wait") {
      this.line.push(ask);
      return "waits";
    }
    this.displace(ask.item);
    return "done";
  }

  trySend(item: Item): boolean {
    if (this.line.length === 0 && this.fits(item)) {
      this.buffer.push(item);
      return true;
    }
    return this.overflow.startsWith("drop") && this.displace(item);
  }

  displace(item: Item): boolean {
    if (this.overflow === "drop-oldest") {
      while (!this.fits(item) && this.buffer.length > 0) {
        this.buffer = this.buffer.slice(1);
        this.dropped += 1;
      }
      if (this.fits(item)) {
        this.buffer.push(item);
        return true;
      }
    }
    this.dropped += 1;
    return false;
  }

  admit(ask: Ask): void {
    if (ask.kind === "send") this.buffer.push(ask.item);
    else this.slots.push(ask);
  }

  settle(): void {
    for (let ask = this.line[0]; ask !== undefined && this.fits(ask.item); ask = this.line[0]) {
      this.admit(ask);
      this.line = this.line.slice(1);
    }
  }
}

const weight = fc.integer({ min: 1, max: capacity + 3 });
const pick = fc.nat();
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("send" as const), weight, pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("try" as const), weight, pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("reserve" as const), weight, pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("use" as const), weight, pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("release" as const), weight, pick }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("receive" as const), weight, pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("take" as const), weight, pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave a receive" as const), weight, pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("abort" as const), weight, pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("clone" as const), weight, pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), weight, pick }) },
);
const overflow = fc.constantFrom<Overflow[]>("wait", "fail", "drop-oldest", "drop-newest");
const last = fc.constantFrom("close", "fail", "leave");

test("Sender, holds, orders, reserves, drops and ends as an array model does, with any number of handles", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), overflow, last, async (steps, policy, ending) => {
      const { sender, receiver } = channel<Item>({ capacity, weigh: (item) => item.weight, overflow: policy });
      const model = new Model(policy);
      let handles: Sender<Item>[] = [sender];
      const asks: Ask[] = [];
      let id = 0;

      for (const one of steps) {
        const handle = handles[one.pick % handles.length];
        if (handle === undefined) throw new Error("There is always a handle");
        const item = { id: id++, weight: one.weight };
        const slot = model.slots[one.pick % Math.max(1, model.slots.length)];
        switch (one.kind) {
          case "send":
          case "reserve": {
            const controller = new AbortController();
            const ask: Ask = { kind: one.kind, item, controller, outcome: "waits", slot: undefined };
            asks.push(ask);
            const call =
              one.kind === "send"
                ? handle.send(item, controller.signal)
                : handle.reserve(item.weight, controller.signal).then((granted) => void (ask.slot = granted));
            call.then(
              () => (ask.outcome = "done"),
              (error: unknown) => (ask.outcome = error instanceof ChannelFullError ? "full" : "aborted"),
            );
            const expected = model.ask(ask);
            await yieldToEventLoop();
            expect(ask.outcome).toBe(expected);
            break;
          }
          case "try":
            expect(handle.trySend(item)).toBe(model.trySend(item));
            break;
          case "use": {
            if (slot === undefined) break;
            const lighter = { id: item.id, weight: Math.min(item.weight, slot.item.weight) };
            if (item.weight > slot.item.weight) expect(() => slot.slot?.send(item)).toThrow(RangeError);
            slot.slot?.send(lighter);
            model.slots = model.slots.filter((other) => other !== slot);
            model.buffer.push(lighter);
            model.settle();
            expect(() => slot.slot?.send(lighter)).toThrow(ChannelClosedError);
            break;
          }
          case "release":
            if (slot === undefined) break;
            slot.slot?.release();
            slot.slot?.release();
            model.slots = model.slots.filter((other) => other !== slot);
            model.settle();
            break;
          case "receive": {
            const [first, ...rest] = model.buffer;
            if (first === undefined) break;
            expect(await receiver.next()).toEqual({ done: false, value: first });
            model.buffer = rest;
            model.settle();
            break;
          }
          case "take": {
            const taken: Item[] = [];
            for (const there of model.buffer) {
              if (taken.reduce((sum, other) => sum + other.weight, there.weight) > one.weight) break;
              taken.push(there);
            }
            expect(receiver.takeAvailable(one.weight)).toEqual(taken);
            model.buffer = model.buffer.slice(taken.length);
            if (taken.length > 0) model.settle();
            break;
          }
          case "leave a receive": {
            if (model.buffer.length > 0) break;
            const controller = new AbortController();
            const parked = receiver.receive(controller.signal);
            controller.abort(new Error("left"));
            await expect(parked).rejects.toThrow("left");
            break;
          }
          case "abort": {
            const ask = model.line[one.pick % Math.max(1, model.line.length)];
            if (ask === undefined) break;
            ask.controller.abort();
            model.line = model.line.filter((other) => other !== ask);
            model.settle();
            break;
          }
          case "clone":
            handles.push(handle.clone());
            model.handles += 1;
            break;
          case "close":
            // The last handle stays open to the end.
            if (handles.length === 1) break;
            handle.close();
            handle.close();
            model.handles -= 1;
            handles = handles.filter((other) => other !== handle);
            await expect(handle.send(item)).rejects.toThrow("Cannot send: the sender is closed");
            expect(() => handle.trySend(item)).toThrow(ChannelClosedError);
            expect(() => handle.clone()).toThrow(ChannelClosedError);
            break;
        }
        await yieldToEventLoop();
        expect([sender.size, sender.weight, sender.waiting, sender.dropped, receiver.dropped]).toEqual([
          model.buffer.length,
          model.weight,
          model.line.length,
          model.dropped,
          model.dropped,
        ]);
        expect(asks.filter(({ outcome }) => outcome === "waits")).toEqual(model.line);
        expect(asks.filter(({ controller }) => abortListeners(controller.signal) > 0)).toEqual(model.line);
      }

      if (ending === "leave") {
        const parked = model.buffer.length === 0 ? receiver.next() : undefined;
        receiver.close();
        if (parked !== undefined) expect(await parked).toEqual(end);
        await yieldToEventLoop();
        expect(asks.filter(({ outcome }) => outcome === "waits")).toEqual([]);
        for (const handle of handles) await expect(handle.send({ id, weight: 1 })).rejects.toThrow("receiver is gone");
        for (const { slot } of model.slots) expect(() => slot?.send({ id, weight: 1 })).toThrow("receiver is gone");
        for (const { slot } of model.slots) slot?.release();
        expect([sender.size, sender.weight, sender.waiting]).toEqual([0, 0, 0]);
      } else if (ending === "fail") {
        handles[0]?.fail(new Error("broken"));
        for (const { slot } of model.slots) expect(() => slot?.send({ id, weight: 1 })).toThrow("channel is closed");
        const rest = [
          ...model.buffer,
          ...model.line.filter(({ kind }) => kind === "send").map(({ item: waiting }) => waiting),
        ];
        for (const item of rest) expect(await receiver.next()).toEqual({ done: false, value: item });
        await expect(receiver.next()).rejects.toThrow("broken");
        expect(asks.filter(({ outcome }) => outcome === "waits")).toEqual([]);
      } else {
        for (const handle of handles) handle.close();
        model.handles = 0;
        // Slots, and waits for one, still add their items.
        while (!model.isEnding) {
          const slot = model.slots[0];
          if (slot === undefined) {
            expect(await receiver.next()).toEqual({ done: false, value: model.buffer[0] });
            model.buffer = model.buffer.slice(1);
          } else {
            const parked = model.buffer.length === 0 ? receiver.next() : undefined;
            slot.slot?.send(slot.item);
            model.slots = model.slots.slice(1);
            model.buffer.push(slot.item);
            if (parked !== undefined) {
              expect(await parked).toEqual({ done: false, value: slot.item });
              model.buffer = model.buffer.slice(1);
            }
          }
          model.settle();
          await yieldToEventLoop();
        }
        const rest = [...model.buffer, ...model.line.map(({ item }) => item)];
        for (const item of rest) expect(await receiver.next()).toEqual({ done: false, value: item });
      }
      expect([await receiver.next(), await receiver.receive(), await receiver.receiveMany(1)]).toEqual([end, end, []]);
      expect(asks.every(({ controller }) => abortListeners(controller.signal) === 0)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

describe("Sender", () => {
  test("send(), returns one promise for all sends that have room, and the receiver needs none", async () => {
    const { sender, receiver } = channel<number>({ capacity: 3 });
    expect(sender.send(1)).toBe(sender.send(2));
    expect(receiver.pull()).toBe(1);
    expect(receiver.pull()).toBe(2);
    const parked = receiver.pull();
    expect(parked).toBeInstanceOf(Promise);
    await sender.send(3);
    expect(await parked).toBe(3);
  });

  test("clone(), keeps the channel open until the last handle closes, and fail() of one ends it for all", async () => {
    const { sender, receiver } = channel<string>({ capacity: 9 });
    const [one, other] = [sender.clone(), sender.clone()];
    sender.close();
    one.close();
    one.fail(new Error("closed before"));
    await other.send("still open");
    expect(await receiver.receive()).toEqual({ done: false, value: "still open" });
    const third = other.clone();
    other.fail(new Error("broken"));
    other.close();
    await expect(third.send("too late")).rejects.toThrow("Cannot send: the channel is closed");
    await expect(receiver.receive()).rejects.toThrow("broken");
    expect(await receiver.receive()).toEqual(end);
  });

  test("reserve(), waits in line with the sends, and its abort admits those behind it", async () => {
    const { sender } = channel<number>({ capacity: 10, weigh: (item) => item });
    const first = await sender.reserve(6);
    expect(sender.trySend(5)).toBe(false);
    const controller = new AbortController();
    const heavy = sender.reserve(5, controller.signal);
    const light = sender.send(4);
    expect([sender.size, sender.waiting]).toEqual([0, 2]);
    controller.abort(new Error("left"));
    await expect(heavy).rejects.toThrow("left");
    await light;
    first.send(1);
    // The reserved weight that was not used is free again.
    await sender.send(5);
    expect([sender.size, sender.weight, sender.waiting]).toEqual([3, 10, 0]);
    await expect(sender.reserve(0)).rejects.toThrow(RangeError);
  });

  test("reserve(), keeps the channel open until the slot is used or released", async () => {
    const { sender, receiver } = channel<string>({ capacity: 2 });
    const [used, released] = [await sender.reserve(), await sender.reserve()];
    sender.close();
    const all = collect(receiver, { limit: 9 });
    released.release();
    used.send("late");
    expect(await all).toEqual(["late"]);
    expect(() => used.send("twice")).toThrow("Cannot send: the slot was used or released");
  });

  test("reserve(), gives a weight above the capacity the whole channel", async () => {
    const { sender, receiver } = channel<number>({ capacity: 10, weigh: (item) => item });
    await sender.send(1);
    const waiting = sender.reserve(99);
    await yieldToEventLoop();
    expect(sender.waiting).toBe(1);
    receiver.takeAvailable(1);
    const slot = await waiting;
    expect(sender.trySend(1)).toBe(false);
    slot.send(99);
    expect([sender.trySend(1), receiver.takeAvailable(99), sender.trySend(1)]).toEqual([false, [99], true]);
  });

  test("send(), yields to timers if it drops and so never waits", async () => {
    const { sender, receiver } = channel<number>({ capacity: 5, overflow: "drop-oldest" });
    let isOver = false;
    void sleep(5).then(() => (isOver = true));
    let sent = 0;
    while (!isOver) await sender.send(sent++);
    expect(receiver.takeAvailable(9)).toEqual([5, 4, 3, 2, 1].map((back) => sent - back));
    expect(receiver.dropped).toBe(sent - 5);
  });
});
