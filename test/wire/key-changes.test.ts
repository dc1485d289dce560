import fc from "fast-check";
import { expect, test } from "vitest";
import { batchOfRecords } from "../support/filter-arbitrary.js";
import { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { stampBatches, keyChangesOf } from "../../src/wire/index.js";

const bodies = [
  undefined,
  { $case: "text", value: "" } as const,
  { $case: "data", value: Buffer.from("x") } as const,
  { $case: "json", value: { a: 1 } } as const,
  { $case: "message", value: { typeUrl: "a/b", value: Buffer.alloc(0) } } as const,
];

const recordArbitrary = fc.record({
  key: fc.oneof(fc.constantFrom("", "a", "ß", "a".repeat(200)), fc.string({ unit: "grapheme", maxLength: 5 })),
  body: fc.constantFrom(...bodies),
  attributes: fc.constantFrom(new Map<string, string>(), new Map([["name", "value"]])),
  location: fc.constantFrom(undefined, { latitude: -1.5, longitude: 2 }, { latitude: 0, longitude: 0 }),
});

test("keyChangesOf(), returns each key's last record, and whether it removes the key", () => {
  fc.assert(
    fc.property(fc.array(recordArbitrary, { minLength: 1, maxLength: 12 }), (records) => {
      const whole = records.map((record) => RecordMessage.fromPartial(record));
      const model = new Map<string, { key: string; index: number; isTombstone: boolean; place: unknown }>();
      records.forEach(({ key, body, location }, index) => {
        if (key !== "") model.set(key, { key, index, isTombstone: body === undefined, place: location });
      });
      const changes = keyChangesOf(stampBatches([batchOfRecords(whole)], 7, 1_000_000));
      expect(new Map(changes.map((change) => [change.key, change]))).toEqual(model);
    }),
  );
});
