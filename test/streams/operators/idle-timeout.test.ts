import { describe, expect, test, vi } from "vitest";
import { channel, collect, idleTimeout, pipe, range, TimeoutError } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { pass, useFakeTime, watched } from "../support/fake-time.js";
import { tracked } from "../support/tracked-source.js";
import { turns } from "../support/until.js";

useFakeTime();

describe("idleTimeout", () => {
  test("fails when an item takes too long, and closes the source", async () => {
    const source = tracked([1], { parksAtEnd: true });
    const stream = idleTimeout(source.items, 100);
    expect((await stream.next()).value).toBe(1);
    const late = watched(stream.next());
    await pass(99);
    expect(late.isSettled).toBe(false);
    await pass(1);
    expect(late.error).toBeInstanceOf(TimeoutError);
    expect(late.error).toMatchObject({ code: "timed-out", ms: 100, what: "the next item" });
    expect(source.closed).toBe(1);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("measures each wait separately, with one timer", async () => {
    const { sender, receiver } = channel<number>({ capacity: 10 });
    const given = watched(pipe(receiver, idleTimeout(100), collect({ limit: 100 })));
    for (let n = 0; n < 20; n += 1) {
      await pass(30);
      sender.trySend(n);
      await turns(3);
      expect(vi.getTimerCount()).toBe(1);
    }
    await pass(99);
    expect(given.isSettled).toBe(false);
    await pass(1);
    expect(given.error).toBeInstanceOf(TimeoutError);
  });

  test("does not count the time without a pull", async () => {
    const { sender, receiver } = channel<number>({ capacity: 10 });
    const stream = idleTimeout(receiver, 100);
    const first = stream.next();
    await pass(50);
    sender.trySend(1);
    expect((await first).value).toBe(1);
    await pass(10_000);
    const second = watched(stream.next());
    await pass(99);
    sender.trySend(2);
    await pass(0);
    expect(second.value?.value).toBe(2);
    await stream.return();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("starts no timer for items that are there", async () => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    expect((await collect(idleTimeout(range(0, 1000), 10), { limit: 1000 })).length).toBe(1000);
    expect(timers).not.toHaveBeenCalled();
    timers.mockRestore();
  });

  test("leaves no timer when it is closed or the source fails", async () => {
    const { sender, receiver } = channel<number>({ capacity: 10 });
    const stream = idleTimeout(receiver, 100);
    const parked = stream.next();
    sender.fail(new Error("broken"));
    expect(await failureOf(parked)).toMatchObject({ message: "broken" });
    expect(vi.getTimerCount()).toBe(0);
    const closed = idleTimeout(tracked([], { parksAtEnd: true }).items, 100);
    const waiting = closed.next();
    await closed.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});
