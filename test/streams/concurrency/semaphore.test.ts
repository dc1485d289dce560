import fc from "fast-check";
import { expect, test } from "vitest";
import { Semaphore, SemaphoreFullError, yieldToEventLoop } from "../../../src/streams/index.js";
import type { Permit } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";

const capacity = 10;
const step = fc.oneof(
  fc.record({ kind: fc.constant("acquire" as const), weight: fc.integer({ min: 0, max: capacity + 3 }) }),
  fc.record({ kind: fc.constant("try" as const), weight: fc.integer({ min: 0, max: capacity + 3 }) }),
  fc.record({
    kind: fc.constant("extend" as const),
    pick: fc.nat(),
    weight: fc.integer({ min: 0, max: capacity + 3 }),
  }),
  fc.record({ kind: fc.constant("release" as const), pick: fc.nat() }),
  fc.record({ kind: fc.constant("abort" as const), pick: fc.nat() }),
);

interface Ask {
  readonly weight: number;
  readonly controller: AbortController;
  permit: Permit | undefined;
  failure: unknown;
}

/** A model of the semaphore: arrays of the held permits and of the waits. */
function modelOf() {
  const held: number[] = [];
  const used = () => held.reduce((sum, weight) => sum + weight, 0);
  const fits = (weight: number) => held.length === 0 || used() + weight <= capacity;
  return { held, used, fits, available: () => Math.max(0, capacity - used()) };
}

test("Semaphore, grants exactly what an array model grants, in order, and never more than its capacity", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const semaphore = new Semaphore({ capacity, maxWaiting: 5 });
      const model = modelOf();
      let holders: { weight: number; permit: () => Permit | undefined }[] = [];
      let waiters: Ask[] = [];
      const asks: Ask[] = [];
      const hold = (weight: number, permit: () => Permit | undefined) => {
        model.held.push(weight);
        holders.push({ weight, permit });
      };
      const admit = () => {
        for (let first = waiters[0]; first !== undefined && model.fits(first.weight); first = waiters[0]) {
          const ask = first;
          waiters = waiters.slice(1);
          hold(ask.weight, () => ask.permit);
        }
      };

      for (const one of steps) {
        switch (one.kind) {
          case "acquire": {
            const ask: Ask = {
              weight: one.weight,
              controller: new AbortController(),
              permit: undefined,
              failure: undefined,
            };
            asks.push(ask);
            semaphore.acquire(one.weight, ask.controller.signal).then(
              (permit) => (ask.permit = permit),
              (error: unknown) => (ask.failure = error),
            );
            if (waiters.length < 5) {
              waiters.push(ask);
              admit();
              await yieldToEventLoop();
            } else {
              await yieldToEventLoop();
              expect(ask.failure).toBeInstanceOf(SemaphoreFullError);
            }
            break;
          }
          case "try": {
            const permit = semaphore.tryAcquire(one.weight);
            expect(permit !== undefined).toBe(waiters.length === 0 && model.fits(one.weight));
            if (permit !== undefined) hold(one.weight, () => permit);
            break;
          }
          case "extend": {
            const index = holders.length === 0 ? -1 : one.pick % holders.length;
            const holder = holders[index];
            if (holder === undefined) break;
            const before = holder.permit()?.weight ?? 0;
            const isExtended = holder.permit()?.extend(one.weight) === true;
            // It must not exceed the capacity, nor overtake a wait.
            expect(isExtended).toBe(waiters.length === 0 && one.weight <= capacity - model.used());
            if (isExtended) model.held[index] = before + one.weight;
            expect(holder.permit()?.weight).toBe(model.held[index]);
            break;
          }
          case "release": {
            const index = holders.length === 0 ? -1 : one.pick % holders.length;
            const holder = holders[index];
            if (holder === undefined) break;
            holder.permit()?.release();
            holder.permit()?.release();
            holders = holders.filter((other) => other !== holder);
            model.held.splice(index, 1);
            admit();
            break;
          }
          case "abort": {
            const ask = waiters[one.pick % Math.max(1, waiters.length)];
            if (ask === undefined) break;
            ask.controller.abort(new Error("left"));
            waiters = waiters.filter((other) => other !== ask);
            admit();
            break;
          }
        }
        await yieldToEventLoop();
        expect(semaphore.waiting).toBe(waiters.length);
        expect(semaphore.available).toBe(model.available());
        expect(holders.every((holder) => holder.permit() !== undefined)).toBe(true);
        expect(waiters.every((ask) => ask.permit === undefined)).toBe(true);
        expect(asks.filter((ask) => abortListeners(ask.controller.signal) > 0).length).toBe(waiters.length);
      }
    }),
    { numRuns: 100 },
  );
});

test("Semaphore.acquire(), grants a request above the capacity alone, once everything is free", async () => {
  const semaphore = new Semaphore({ capacity: 4, maxWaiting: 2 });
  const small = await semaphore.acquire(1);
  let isGranted = false;
  const large = semaphore.acquire(9).then((permit) => {
    isGranted = true;
    return permit;
  });
  expect(semaphore.tryAcquire(1)).toBeUndefined();
  await yieldToEventLoop();
  expect(isGranted).toBe(false);
  small.release();
  const permit = await large;
  expect([semaphore.available, semaphore.tryAcquire(1)]).toEqual([0, undefined]);
  permit.release();
  expect(semaphore.available).toBe(4);
});

test("Semaphore.acquire(), refuses a request above maxWaiting, an aborted signal, and a weight below 0", async () => {
  const semaphore = new Semaphore({ capacity: 1, maxWaiting: 0 });
  await expect(semaphore.acquire(-1)).rejects.toThrow(RangeError);
  await expect(semaphore.acquire(1, AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
  const permit = await semaphore.acquire(1);
  await expect(semaphore.acquire(1)).rejects.toThrow("Cannot acquire: 0 are waiting already");
  permit.release();
  expect(semaphore.available).toBe(1);
});
