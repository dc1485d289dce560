import fc from "fast-check";
import { expect, test } from "vitest";
import { BufferPool } from "../../src/core/index.js";

const step = fc.oneof(
  fc.record({ do: fc.constant("take" as const), bytes: fc.integer({ min: 0, max: 3_000_000 }) }),
  fc.record({ do: fc.constant("take" as const), bytes: fc.integer({ min: 16_000, max: 20_000 }) }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant("give" as const), pick: fc.nat() }) },
  fc.record({ do: fc.constant("give twice" as const), pick: fc.nat() }),
);

test("BufferPool, never lends memory twice, keeps no more than its bound, and wastes at most a quarter", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.constantFrom(0, 40_000, 10_000_000), (steps, bytesMax) => {
      const pool = new BufferPool(bytesMax);
      const lent: Buffer[] = [];
      const given: Buffer[] = [];
      for (const one of steps) {
        switch (one.do) {
          case "take": {
            const buffer = pool.take(one.bytes);
            expect(buffer.length).toBe(one.bytes);
            if (one.bytes > 0) expect(buffer.buffer.byteLength).toBeLessThanOrEqual(Math.max(one.bytes, 10_240) * 1.25);
            if (one.bytes > 0) expect(lent.map((other) => other.buffer)).not.toContain(buffer.buffer);
            lent.push(buffer);
            break;
          }
          case "give": {
            const [buffer] = lent.splice(one.pick % Math.max(1, lent.length), 1);
            if (buffer === undefined) break;
            pool.give(buffer);
            given.push(buffer);
            break;
          }
          case "give twice": {
            const buffer = given[one.pick % Math.max(1, given.length)];
            const before = pool.bytes;
            if (buffer !== undefined) pool.give(buffer);
            expect(pool.bytes).toBe(before);
            break;
          }
        }
        expect(pool.bytes).toBeLessThanOrEqual(bytesMax);
      }
    }),
  );
});

test("BufferPool, reuses memory that was given back, and ignores buffers that it did not lend", () => {
  const pool = new BufferPool(1_000_000);
  const first = pool.take(100_000);
  pool.give(first);
  expect(pool.take(99_000).buffer).toBe(first.buffer);
  pool.give(Buffer.alloc(100_000));
  pool.give(first.subarray(0, 10));
  expect(pool.bytes).toBe(0);
});
