import { describe, expect, test } from "vitest";
import { collect, deferred, pipe, range, tap, withSignal } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { until } from "../support/until.js";

const end = { done: true, value: undefined } as const;

describe("withSignal", () => {
  test("fails with the reason when the signal aborts during a wait, and closes the source at once", async () => {
    const controller = new AbortController();
    const source = tracked([1], { parksAtEnd: true });
    const stream = withSignal(source.items, controller.signal);
    expect(abortListeners(controller.signal)).toBe(0);
    expect((await stream.next()).value).toBe(1);
    expect(abortListeners(controller.signal)).toBe(1);
    const parked = stream.next();
    await until(() => source.pulled === 2);
    const reason = new Error("enough");
    controller.abort(reason);
    expect(source.closed).toBe(1);
    expect(await failureOf(parked)).toBe(reason);
    expect(await stream.next()).toEqual(end);
    expect(abortListeners(controller.signal)).toBe(0);
  });

  test("closes the source when the signal aborts between two items, and throws the reason once", async () => {
    const controller = new AbortController();
    const source = tracked([1, 2]);
    const stream = withSignal(source.items, controller.signal);
    await stream.next();
    controller.abort("enough");
    expect(source.closed).toBe(1);
    expect(await failureOf(stream.next())).toBe("enough");
    expect(await stream.next()).toEqual(end);
    expect(source).toMatchObject({ pulled: 1, closed: 1 });
  });

  test("pulls nothing when the signal has aborted already", async () => {
    const source = tracked([1]);
    expect(await failureOf(withSignal(source.items, AbortSignal.abort("before")).next())).toBe("before");
    expect(source.pulled).toBe(0);
  });

  test("fails with the reason when the source has cleaned up, whatever the cleanup throws", async () => {
    const controller = new AbortController();
    const gate = deferred<void>();
    let isClean = false;
    const cleanUp = async () => {
      await gate.promise;
      isClean = true;
      throw new Error("not this one");
    };
    async function* generate() {
      try {
        yield 1;
        yield 2;
      } finally {
        await cleanUp();
      }
    }
    const stream = withSignal(generate(), controller.signal);
    await stream.next();
    controller.abort("enough");
    const failing = failureOf(stream.next());
    gate.resolve();
    expect(await failing).toBe("enough");
    expect(isClean).toBe(true);
  });

  test("stops a source that never waits", async () => {
    const controller = new AbortController();
    const numbers = pipe(
      range(0),
      withSignal(controller.signal),
      tap((n) => {
        if (n === 5) setImmediate(() => controller.abort("enough"));
      }),
    );
    expect(await failureOf(collect(numbers, { limit: Infinity }))).toBe("enough");
  });

  test("leaves no listener after the end of the source, or after a close", async () => {
    const { signal } = new AbortController();
    await collect(withSignal([1], signal), { limit: 1 });
    const closed = withSignal(range(0), signal);
    await closed.next();
    await closed.return();
    expect(await closed.next()).toEqual(end);
    expect(abortListeners(signal)).toBe(0);
  });
});
