import fc from "fast-check";
import { expect, test } from "vitest";
import { BackwardWriter } from "../../src/wire/index.js";

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("write" as const), bytes: fc.uint8Array({ maxLength: 40 }) }) },
  fc.record({
    do: fc.constant("write" as const),
    bytes: fc.integer({ min: 0, max: 3000 }).map((n) => new Uint8Array(n).fill(n)),
  }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant("keep" as const) }) },
  fc.record({ do: fc.constant("clear" as const) }),
  fc.record({ do: fc.constant("take" as const) }),
);

test("BackwardWriter, keeps and returns exactly what arrays would, however far it grows", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.array(step, { maxLength: 60 }), (initialBytes, steps) => {
      const writer = new BackwardWriter(initialBytes);
      let kept = Buffer.alloc(0);
      let written = Buffer.alloc(0);
      for (const one of steps) {
        switch (one.do) {
          case "write":
            writer.bytes(one.bytes);
            written = Buffer.concat([one.bytes, written]);
            break;
          case "keep":
            writer.keep();
            kept = Buffer.concat([kept, written]);
            written = Buffer.alloc(0);
            break;
          case "clear":
            writer.clear();
            written = Buffer.alloc(0);
            break;
          case "take":
            expect(writer.take()).toEqual(kept);
            kept = Buffer.alloc(0);
            break;
        }
        expect(writer.written).toEqual(written);
        expect(writer.length).toBe(written.length);
      }
      expect(writer.take()).toEqual(kept);
    }),
  );
});

test("BackwardWriter, releases a buffer that a large message has grown", () => {
  const writer = new BackwardWriter();
  writer.bytes(new Uint8Array(3_000_000));
  writer.keep();
  writer.take();
  expect(writer.written.buffer.byteLength).toBe(16_384);
});
