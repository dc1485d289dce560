import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AdaptiveBuffer, adaptiveBuffer, count, END, pipe, range } from "../../../src/streams/index.js";
import { tracked } from "../support/tracked-source.js";
import { turns } from "../support/until.js";

const numbers = (length: number) => Array.from({ length }, (_, index) => index);

/** Before each burst, waits until the source has filled the buffer. Returns the limit after each burst. */
async function takeInBursts(given: AdaptiveBuffer<number>, bursts: number, size: number): Promise<number[]> {
  const limits: number[] = [];
  for (let burst = 0; burst < bursts; burst += 1) {
    await turns(4 * size);
    for (let n = 0; n < size; n += 1) await given.pull();
    limits.push(given.limit);
  }
  return limits;
}

describe("adaptiveBuffer", () => {
  test("doubles when the consumer waits after a buffer's worth of items, up to max", async () => {
    const source = tracked(numbers(1000), { isSlow: true });
    const given = adaptiveBuffer(source.items, { min: 2, max: 12 });
    expect(await given.pull()).toBe(0);
    expect(given.limit).toBe(2);
    expect(await takeInBursts(given, 5, 20)).toEqual([4, 8, 12, 12, 12]);
    await given.close();
    expect(source.closed).toBe(1);
  });

  test("does not grow when the source is slow", async () => {
    const given = adaptiveBuffer(tracked(numbers(50), { isSlow: true }).items, { min: 2, max: 64 });
    expect(await count(given)).toBe(50);
    expect(given.limit).toBe(2);
  });

  test("halves when the buffer stays full for as many polls as it has room for, down to min", async () => {
    const given = adaptiveBuffer(tracked(numbers(1000), { isSlow: true }).items, { min: 2, max: 16 });
    await given.pull();
    expect((await takeInBursts(given, 4, 20)).at(-1)).toBe(16);
    // From now on the source is faster than the consumer.
    const limits: number[] = [];
    for (let taken = 0; taken < 60; taken += 1) {
      await turns(taken === 0 ? 80 : 4);
      await given.pull();
      if (limits.at(-1) !== given.limit) limits.push(given.limit);
    }
    expect(limits).toEqual([16, 8, 4, 2]);
    expect(given.size).toBeLessThanOrEqual(2);
    await given.close();
  });

  test("stays between its bounds, keeps the order, and never holds more than its largest bound", async () => {
    const bounds = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.nat(12))
      .map(([min, more]) => ({ min, max: min + more }));
    await fc.assert(
      fc.asyncProperty(bounds, fc.array(fc.nat(6), { maxLength: 40 }), async ({ min, max }, waits) => {
        const source = tracked(numbers(waits.length));
        const given = adaptiveBuffer(source.items, { min, max });
        for (const [index, wait] of waits.entries()) {
          expect(await given.pull()).toBe(index);
          await turns(wait);
          expect(given.limit).toBeGreaterThanOrEqual(min);
          expect(given.limit).toBeLessThanOrEqual(max);
          expect(given.size).toBeLessThanOrEqual(max);
          expect(source.pulled - (index + 1)).toBeLessThanOrEqual(max);
        }
        expect(await given.pull()).toBe(END);
      }),
      { numRuns: 60 },
    );
  });

  test("has its limit property in a pipe too", async () => {
    const given = pipe(range(0, 100), adaptiveBuffer({ min: 3, max: 9 }));
    expect(given.limit).toBe(3);
    expect(await count(given)).toBe(100);
  });

  test.each([
    { min: 0, max: 4 },
    { min: 4, max: 3 },
    { min: 1, max: Infinity },
    { min: 1.5, max: 4 },
  ])("refuses bounds from $min to $max", (bounds) => {
    expect(() => adaptiveBuffer([1], bounds)).toThrow(RangeError);
  });
});
