import { EventEmitter, getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChannelFullError, collect, fromEvents, take } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { turns } from "../support/until.js";

const end = { done: true, value: undefined } as const;
const all = { limit: 100 };
const names = ["data", "end", "error"];
const listeners = (emitter: EventEmitter) => names.map((name) => emitter.listenerCount(name));

describe("fromEvents", () => {
  test("returns the events since the call, and drops events according to its overflow", async () => {
    const anyItems = fc.array(fc.integer(), { maxLength: 20 });
    const anyOverflow = fc.constantFrom("drop-oldest" as const, "drop-newest" as const, "fail" as const);
    await fc.assert(
      fc.asyncProperty(anyItems, fc.integer({ min: 1, max: 20 }), anyOverflow, async (items, capacity, overflow) => {
        const emitter = new EventEmitter();
        const stream = fromEvents<number>(emitter, "data", { capacity, overflow, until: "end" });
        for (const item of items) emitter.emit("data", item);
        emitter.emit("end");
        emitter.emit("data", -1);
        const isFull = items.length > capacity;
        const kept = overflow === "drop-oldest" ? items.slice(-capacity) : items.slice(0, capacity);
        for (const item of kept) expect(await stream.next()).toEqual({ done: false, value: item });
        if (isFull && overflow === "fail") expect(await failureOf(stream.next())).toBeInstanceOf(ChannelFullError);
        expect(await stream.next()).toEqual(end);
        expect(listeners(emitter)).toEqual([0, 0, 0]);
      }),
      { numRuns: 100 },
    );
  });

  test("returns an event from a pending next(), and ends with until", async () => {
    const emitter = new EventEmitter();
    const stream = fromEvents<string>(emitter, "data", { capacity: 1, overflow: "fail", until: "end" });
    const first = stream.next();
    await turns(1);
    emitter.emit("data", "a");
    expect((await first).value).toBe("a");
    const second = stream.next();
    await turns(1);
    emitter.emit("end");
    expect(await second).toEqual(end);
    expect(listeners(emitter)).toEqual([0, 0, 0]);
  });

  test("fails with the emitter's error, after the events before it", async () => {
    const emitter = new EventEmitter();
    const stream = fromEvents<number>(emitter, "data", { capacity: 4, overflow: "fail" });
    const failure = new Error("broken");
    emitter.emit("data", 1);
    emitter.emit("error", failure);
    expect(listeners(emitter)).toEqual([0, 0, 0]);
    expect((await stream.next()).value).toBe(1);
    expect(await failureOf(stream.next())).toBe(failure);
    expect(await stream.next()).toEqual(end);
  });

  test("returns error events as items, or ends with one, if so configured", async () => {
    const emitter = new EventEmitter();
    const errors = fromEvents<string>(emitter, "error", { capacity: 2, overflow: "fail", until: "end" });
    const untilError = fromEvents<number>(emitter, "data", { capacity: 2, overflow: "fail", until: "error" });
    emitter.emit("data", 1);
    emitter.emit("error", "first");
    emitter.emit("end");
    expect(await collect(errors, all)).toEqual(["first"]);
    expect(await collect(untilError, all)).toEqual([1]);
    expect(listeners(emitter)).toEqual([0, 0, 0]);
  });

  test("removes its listeners when it is closed: during a wait, read in part, and never read", async () => {
    const emitter = new EventEmitter();
    const options = { capacity: 9, overflow: "fail", until: "end" } as const;
    const parked = fromEvents<number>(emitter, "data", options);
    const next = parked.next();
    const inPart = fromEvents<number>(emitter, "data", options);
    const unread = fromEvents<number>(emitter, "data", options);
    expect(listeners(emitter)).toEqual([3, 3, 3]);
    await parked.return();
    expect(await next).toEqual(end);
    emitter.emit("data", 1);
    emitter.emit("data", 2);
    expect(await collect(take(inPart, 1), all)).toEqual([1]);
    await unread.return();
    expect(await unread.next()).toEqual(end);
    expect(listeners(emitter)).toEqual([0, 0, 0]);
  });

  test("closed by another listener of the same event, accepts no event", async () => {
    const emitter = new EventEmitter();
    const closing = fromEvents<number>(emitter, "data", { capacity: 1, overflow: "fail" });
    emitter.prependListener("data", () => void closing.return());
    emitter.emit("data", 1);
    expect(await closing.next()).toEqual(end);
  });

  test("passes all arguments to toItem, and fails with its error", async () => {
    const emitter = new EventEmitter();
    const stream = fromEvents(emitter, "data", {
      capacity: 4,
      overflow: "fail",
      toItem: (text: string, times: number) => text.repeat(times),
    });
    emitter.emit("data", "ab", 2);
    emitter.emit("data", "ab", -1);
    const items: string[] = [(await stream.next()).value ?? ""];
    expect(items).toEqual(["abab"]);
    expect(await failureOf(stream.next())).toBeInstanceOf(RangeError);
  });

  test("listens to an EventTarget, and stops at the end", async () => {
    const target = new EventTarget();
    const stream = fromEvents<Event>(target, "tick", { capacity: 2, overflow: "drop-newest", until: "stop" });
    for (const name of ["tick", "tick", "tick", "stop"]) target.dispatchEvent(new Event(name));
    expect((await collect(stream, all)).map(({ type }) => type)).toEqual(["tick", "tick"]);
    expect([getEventListeners(target, "tick").length, getEventListeners(target, "stop").length]).toEqual([0, 0]);
  });

  test("refuses an invalid capacity", () => {
    for (const capacity of [0, 1.5, Infinity]) {
      expect(() => fromEvents(new EventEmitter(), "data", { capacity, overflow: "fail" })).toThrow(RangeError);
    }
  });
});
