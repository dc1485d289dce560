import fc from "fast-check";
import { expect, test } from "vitest";
import { Queue } from "../../../src/streams/channels/queue.js";

test("Queue, behaves like an array", () => {
  // Small steps wrap around the end of the array, large ones make it grow and shrink.
  const count = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 100 }));
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("push" as const), count }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("shift" as const), count }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), count: fc.constant(1) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new Queue<number>();
      let model: number[] = [];
      let made = 0;
      for (const { kind, count } of steps) {
        for (let time = 0; time < count; time += 1) {
          if (kind === "push") {
            queue.push(made);
            model.push(made++);
          } else if (kind === "shift") {
            expect(queue.shift()).toBe(model.shift());
          } else {
            queue.clear();
            model = [];
          }
        }
        expect(queue.length).toBe(model.length);
        expect(Array.from({ length: model.length }, (_, index) => queue.at(index))).toEqual(model);
        expect(queue.at(-1)).toBeUndefined();
        expect(queue.at(model.length)).toBeUndefined();
      }
    }),
  );
});
