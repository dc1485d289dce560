import fc from "fast-check";
import { expect, test } from "vitest";
import { Ring } from "../../../src/streams/index.js";
import type { RingEntry } from "../../../src/streams/index.js";

const capacity = 50;
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      length: fc.integer({ min: 1, max: 5 }),
      weight: fc.integer({ min: 1, max: capacity + 5 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("evict" as const), to: fc.integer({ min: 0, max: capacity }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), at: fc.integer({ min: 0, max: 1000 }) }) },
);

const total = (entries: readonly RingEntry<number>[]) => entries.reduce((sum, entry) => sum + entry.weight, 0);

test("Ring, holds the same items as an array of the newest ones, and reports every change of its weight", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 0, max: 9 }), (steps, start) => {
      let reported = 0;
      const ring = new Ring<number>({
        capacity,
        start,
        onWeight: (delta) => {
          expect(delta).not.toBe(0);
          reported += delta;
        },
      });
      let model: RingEntry<number>[] = [];
      let next = start;
      steps.forEach((one, item) => {
        if (one.kind === "append") {
          ring.append(item, next + one.length, one.weight);
          model.push({ item, start: next, end: next + one.length, weight: one.weight });
          next += one.length;
        } else if (one.kind === "restart") {
          ring.restart(one.at);
          model = [];
          next = one.at;
        } else {
          ring.evictTo(one.to);
        }
        const bound = one.kind === "evict" ? one.to : capacity;
        while (total(model) > bound) model = model.slice(1);

        const first = model[0]?.start ?? next;
        expect([ring.first, ring.next, ring.weight, ring.size]).toEqual([first, next, total(model), model.length]);
        expect(reported).toBe(ring.weight);
        for (let position = first - 2; position < next + 2; position += 1) {
          const covering = model.find((entry) => entry.start <= position && position < entry.end);
          expect(ring.find(position)).toEqual(covering);
        }
      });
    }),
  );
});

test("Ring, drops an item heavier than its capacity and all items before it, so that there is no gap", () => {
  const ring = new Ring<string>({ capacity: 10 });
  ring.append("light", 3, 4);
  ring.append("heavy", 5, 11);
  expect([ring.first, ring.next, ring.weight]).toEqual([5, 5, 0]);
  ring.append("light again", 6, 4);
  expect(ring.find(5)?.item).toBe("light again");
  expect(ring.find(4)).toBeUndefined();
});

test("Ring.append(), refuses an item that covers no position or has no weight", () => {
  const ring = new Ring<string>({ capacity: 10, start: 4 });
  expect(() => ring.append("empty", 4, 1)).toThrow("Cannot append up to 4: the ring ends at 4");
  expect(() => ring.append("weightless", 5, 0)).toThrow(RangeError);
  expect(() => ring.append("unknown", 5, Number.NaN)).toThrow(RangeError);
  expect(ring.next).toBe(4);
});
