import fc from "fast-check";
import type { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";

/** Well-formed text without U+0000, for keys and attributes. */
const plainText = (maxLength: number) =>
  fc.string({ unit: "binary", maxLength }).map((text) => text.toWellFormed().replaceAll("\u0000", "0"));

/** Also names and texts that formats other than JSON could take for something else. */
const fieldName = fc.oneof(
  fc.string({ maxLength: 5 }),
  fc.constantFrom("", "key", "Key", "id", "lat", "body", "json.", "json.key", "attributes.a", "toString", "a\0"),
);
const trickyText = fc.constantFrom(
  "",
  " ",
  "0",
  "-1.50",
  " 7",
  "1e999",
  "true",
  "null",
  '"a"',
  "[1",
  "{}",
  "\r",
  "=1+1",
);

const jsonValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: "binary", maxLength: 8 }).map((text) => text.toWellFormed()),
    trickyText,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.string({ maxLength: 5 }), fc.constant("toString")), tie("value"), { maxKeys: 3 }),
  ),
})).value;

const timestamp = fc.record({
  seconds: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});

/** Records as a producer may send them: everything that the rules allow. */
export const recordArbitrary: fc.Arbitrary<RecordMessage> = fc.record({
  key: plainText(20),
  attributes: fc
    .array(
      fc.tuple(
        fc.oneof(
          plainText(10).map((name) => `n${name}`),
          fc.constant("__proto__"),
        ),
        plainText(20),
      ),
      { maxLength: 4 },
    )
    .map((pairs) => new Map(pairs)),
  body: fc.oneof(
    fc.constant(undefined),
    fc.record({ $case: fc.constant("data" as const), value: fc.uint8Array({ maxLength: 200 }) }),
    fc.record({
      $case: fc.constant("text" as const),
      value: fc.string({ unit: "binary", maxLength: 100 }).map((text) => text.toWellFormed()),
    }),
    fc.record({
      $case: fc.constant("json" as const),
      value: fc.dictionary(fieldName, jsonValue, { maxKeys: 4 }) as fc.Arbitrary<{
        [key: string]: unknown;
      }>,
    }),
    fc.record({
      $case: fc.constant("message" as const),
      value: fc.record({
        typeUrl: fc.constantFrom("type.googleapis.com/google.protobuf.Empty", "x/y"),
        value: fc.uint8Array({ maxLength: 30 }),
      }),
    }),
  ),
  location: fc.option(
    fc.record({
      latitude: fc.double({ min: -90, max: 90, noNaN: true }),
      longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    }),
    { nil: undefined },
  ),
  eventTime: fc.option(timestamp, { nil: undefined }),
  // To the microsecond, which is all that a client's `lifetimeMs` holds.
  lifetime: fc.option(
    fc.record({
      seconds: fc.integer({ min: 1, max: 3_155_759_999 }),
      nanos: fc.integer({ min: 0, max: 999_999 }).map((micros) => micros * 1000),
    }),
    { nil: undefined },
  ),
  // Forged on purpose: the server's stamp must win.
  time: fc.option(timestamp, { nil: undefined }),
  offset: fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
}) as fc.Arbitrary<RecordMessage>;
