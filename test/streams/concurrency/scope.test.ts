import { describe, expect, test, vi } from "vitest";
import {
  deferred,
  type Scope,
  scope,
  ScopeClosedError,
  ScopeFullError,
  sleep,
  TimeoutError,
} from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";
import { failureOf } from "../support/failure-of.js";
import { pass, useFakeTime, watched } from "../support/fake-time.js";
import { turns } from "../support/until.js";

const error = new Error("broken");
const heeding = (signal: AbortSignal) => sleep(1_000_000, signal);

useFakeTime();

describe("scope", () => {
  test("resolves to the body's value once all children have settled, including grandchildren", async () => {
    const child = deferred<void>();
    const grandchild = deferred<void>();
    const done = watched(
      scope(({ spawn }) => {
        void spawn(async () => {
          await child.promise;
          void spawn(() => grandchild.promise);
        });
        return "value";
      }),
    );
    await turns(2);
    expect(done.isSettled).toBe(false);
    child.resolve();
    await turns(2);
    expect(done.isSettled).toBe(false);
    grandchild.resolve();
    await turns(2);
    expect(done.value).toBe("value");
  });

  test("waits for a child that is spawned at the moment when the last one settles", async () => {
    const gate = deferred<void>();
    const last = deferred<void>();
    const done = watched(
      scope(({ spawn }) => {
        void spawn(() => gate.promise);
        void gate.promise.then(() => spawn(() => last.promise));
      }),
    );
    await turns(1);
    gate.resolve();
    await turns(2);
    expect(done.isSettled).toBe(false);
    last.resolve();
    await turns(2);
    expect(done.isSettled).toBe(true);
  });

  test("returns a promise of the child's value", async () => {
    expect(await scope(async ({ spawn }) => (await spawn(() => 1)) + (await spawn(async () => 2)))).toBe(3);
  });

  test("aborts all when a child fails, waits for them, and rejects with that failure", async () => {
    const cleanup = deferred<void>();
    const reasons: unknown[] = [];
    const done = watched(
      scope(async ({ spawn, signal }) => {
        void spawn(() => Promise.reject(error));
        void spawn((own) =>
          heeding(own).catch(async (reason: unknown) => {
            reasons.push(reason);
            await cleanup.promise;
          }),
        );
        await heeding(signal);
      }),
    );
    await turns(3);
    expect(reasons).toEqual([error]);
    expect(done.isSettled).toBe(false);
    cleanup.resolve();
    await turns(2);
    expect(done.error).toBe(error);
  });

  test("aborts the children when the body fails", async () => {
    let reason: unknown;
    const failed = scope(({ spawn }) => {
      void spawn((signal) => heeding(signal).catch((why: unknown) => (reason = why)));
      throw error;
    });
    expect(await failureOf(failed)).toBe(error);
    expect(reason).toBe(error);
  });

  test("aborts with TimeoutError at its deadline, including children that outlive the body", async () => {
    const done = watched(scope(({ spawn }) => void spawn(heeding), { deadlineMs: 100 }));
    await pass(99);
    expect(done.isSettled).toBe(false);
    await pass(1);
    expect(done.error).toBeInstanceOf(TimeoutError);
    expect(done.error).toMatchObject({ ms: 100, what: "the scope" });
  });

  test("clears its deadline and its listener when it is over", async () => {
    const controller = new AbortController();
    await scope(() => 1, { deadlineMs: 100, signal: controller.signal });
    expect(vi.getTimerCount()).toBe(0);
    expect(abortListeners(controller.signal)).toBe(0);
  });

  test("passes on the outer signal, and rejects with its reason when all have settled", async () => {
    const controller = new AbortController();
    const gate = deferred<void>();
    const done = watched(
      scope(
        ({ spawn }) => {
          void spawn(heeding);
          void spawn(() => gate.promise);
        },
        { signal: controller.signal },
      ),
    );
    controller.abort(error);
    await turns(2);
    expect(done.isSettled).toBe(false);
    gate.resolve();
    await turns(2);
    expect(done.error).toBe(error);
    let begun = false;
    expect(await failureOf(scope(() => (begun = true), { signal: AbortSignal.abort(error) }))).toBe(error);
    expect(begun).toBe(false);
  });

  test("spawns no child once it is over, aborted or full", async () => {
    let kept: Scope | undefined;
    let begun = 0;
    await scope((own) => void (kept = own));
    expect(() => kept?.spawn(() => (begun += 1))).toThrow(ScopeClosedError);
    await scope(
      ({ spawn }) => {
        void spawn(() => Promise.resolve());
        expect(() => spawn(() => (begun += 1))).toThrow(ScopeFullError);
      },
      { maxChildren: 1 },
    );
    const aborted = scope(async ({ spawn, signal }) => {
      void spawn(() => Promise.reject(error));
      await heeding(signal).catch(() => undefined);
      expect(() => spawn(() => (begun += 1))).toThrow(error);
    });
    expect(await failureOf(aborted)).toBe(error);
    expect(begun).toBe(0);
  });

  test("has room again when a child has settled", async () => {
    const total = await scope(
      async ({ spawn }) => {
        let sum = 0;
        for (let n = 0; n < 5; n += 1) sum += await spawn(async () => n);
        return sum;
      },
      { maxChildren: 1 },
    );
    expect(total).toBe(10);
  });
});
