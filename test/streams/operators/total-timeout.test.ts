import { describe, expect, test, vi } from "vitest";
import { channel, collect, pipe, range, TimeoutError, totalTimeout } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { pass, useFakeTime, watched } from "../support/fake-time.js";
import { tracked } from "../support/tracked-source.js";

useFakeTime();

describe("totalTimeout", () => {
  test("fails when the source has not ended in time, however busy it is", async () => {
    const { sender, receiver } = channel<number>({ capacity: 10 });
    const given = watched(pipe(receiver, totalTimeout(100), collect({ limit: 100 })));
    for (let n = 0; n < 9; n += 1) {
      await pass(11);
      sender.trySend(n);
    }
    expect(given.isSettled).toBe(false);
    await pass(1);
    expect(given.error).toBeInstanceOf(TimeoutError);
    expect(given.error).toMatchObject({ ms: 100, what: "the end of the stream" });
    expect(sender.trySend.bind(sender, 1)).toThrow();
  });

  test("begins with the first pull", async () => {
    const stream = totalTimeout(range(0, 2), 100);
    await pass(1000);
    expect(vi.getTimerCount()).toBe(0);
    expect((await stream.next()).value).toBe(0);
    await pass(99);
    expect((await stream.next()).value).toBe(1);
    expect((await stream.next()).done).toBe(true);
  });

  test("closes the source in time even without a pull, and fails at the next one", async () => {
    const source = tracked([1, 2, 3]);
    const stream = totalTimeout(source.items, 100);
    await stream.next();
    await pass(100);
    expect(source.closed).toBe(1);
    expect(await failureOf(stream.next())).toBeInstanceOf(TimeoutError);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(source.closed).toBe(1);
  });

  test("leaves no timer when it is closed", async () => {
    const stream = totalTimeout(tracked([], { parksAtEnd: true }).items, 100);
    const parked = stream.next();
    expect(vi.getTimerCount()).toBe(1);
    await stream.return();
    expect(await parked).toEqual({ done: true, value: undefined });
    expect(vi.getTimerCount()).toBe(0);
  });
});
