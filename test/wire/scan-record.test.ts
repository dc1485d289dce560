import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { describe, expect, it } from "vitest";
import { defaultLimits, MillraceError, recordBounds } from "../../src/core/index.js";
import { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { splitRequest } from "../../src/wire/index.js";

const emptyRecord: RecordMessage = {
  key: "",
  attributes: new Map(),
  body: undefined,
  location: undefined,
  lifetime: undefined,
  eventTime: undefined,
  time: undefined,
  offset: undefined,
};

type Fields = Partial<RecordMessage>;

/** The error text for a request with this one record, given as a message or as bytes; "taken" if there is none. */
function faultOf(record: Fields | Uint8Array): string {
  const bytes = record instanceof Uint8Array ? record : RecordMessage.encode({ ...emptyRecord, ...record }).finish();
  const request = new BinaryWriter().uint32(18).bytes(bytes).finish();
  try {
    splitRequest(request, defaultLimits);
    return "taken";
  } catch (error) {
    if (error instanceof MillraceError && error.code === "invalid-argument") return error.message;
    throw error;
  }
}

const text = (field: number, bytes: Uint8Array) =>
  new BinaryWriter()
    .uint32(field * 8 + 2)
    .bytes(bytes)
    .finish();
const nested = (levels: number): unknown => (levels === 0 ? 1 : { deeper: nested(levels - 1) });

const refused: [string, Fields | Uint8Array, string][] = [
  [
    "a key that is too long",
    { key: "k".repeat(recordBounds.keyBytes + 1) },
    "records[0].key: has 1025 bytes, at most 1024 are allowed",
  ],
  ["U+0000 in a key", { key: "a\u0000b" }, "records[0].key: must not contain U+0000"],
  ["invalid UTF-8 in a key", text(1, Uint8Array.of(0xff)), "records[0].key: must be valid UTF-8"],
  ["a surrogate written as UTF-8", text(1, Uint8Array.of(0xed, 0xa0, 0x80)), "records[0].key: must be valid UTF-8"],
  ["invalid UTF-8 in text", text(4, Uint8Array.of(0xc3)), "records[0].text: must be valid UTF-8"],
  [
    "U+0000 in an attribute",
    { attributes: new Map([["a", "\u0000"]]) },
    "records[0].attributes.value: must not contain U+0000",
  ],
  ["an attribute without a name", { attributes: new Map([["", "x"]]) }, "records[0].attributes.key: must not be empty"],
  [
    "too many attributes",
    { attributes: new Map(Array.from({ length: 101 }, (_, i) => [`a${i}`, ""])) },
    "records[0].attributes: at most 100 are allowed",
  ],
  [
    "an infinite number",
    { body: { $case: "json", value: { a: Number.POSITIVE_INFINITY } } },
    "records[0].json: numbers must be finite: JSON has no NaN and no infinity",
  ],
  [
    "a latitude beyond the pole",
    { location: { latitude: 90.1, longitude: 0 } },
    "records[0].location.latitude: must be from -90 to 90, got 90.1",
  ],
  [
    "a longitude that is no number",
    { location: { latitude: 0, longitude: Number.NaN } },
    "records[0].location.longitude: must be from -180 to 180, got NaN",
  ],
  [
    "a lifetime of nothing",
    { lifetime: { seconds: 0, nanos: 0 } },
    "records[0].lifetime: must be more than 0, and at most 100 years (3155760000 seconds)",
  ],
  [
    "a lifetime of less than nothing",
    { lifetime: { seconds: -1, nanos: 5 } },
    "records[0].lifetime: must be more than 0, and at most 100 years (3155760000 seconds)",
  ],
  [
    "a lifetime of more than a hundred years",
    { lifetime: { seconds: 3_155_760_000, nanos: 1 } },
    "records[0].lifetime: must be more than 0, and at most 100 years (3155760000 seconds)",
  ],
  [
    "a lifetime with too many nanoseconds",
    { lifetime: { seconds: 1, nanos: 1_000_000_000 } },
    "records[0].lifetime.nanos: must be from 0 to 999999999",
  ],
  [
    "an event time after year 9999",
    { eventTime: { seconds: 253_402_300_800, nanos: 0 } },
    "records[0].event_time.seconds: must be from year 1 to year 9999",
  ],
  [
    "negative nanoseconds",
    { eventTime: { seconds: 0, nanos: -1 } },
    "records[0].event_time.nanos: must be from 0 to 999999999",
  ],
  [
    "a message without a type",
    { body: { $case: "message", value: { typeUrl: "", value: Uint8Array.of(1) } } },
    "records[0].message.type_url: is required",
  ],
  [
    "a value without a kind",
    text(5, Uint8Array.of(0x0a, 0x05, 0x0a, 0x01, 0x61, 0x12, 0x00)),
    "records[0].json: every value must have a kind (null_value for null)",
  ],
  [
    "an unknown field",
    new BinaryWriter()
      .uint32(10 * 8)
      .uint32(1)
      .finish(),
    "records[0]: field 10 is unknown to this server",
  ],
  ["a body that occurs twice", Uint8Array.of(0x2a, 0, 0x2a, 0), "records[0]: field 5 occurs twice"],
  ["a group", new BinaryWriter().uint32(1 * 8 + 3).finish(), "records[0].key: has wire type 3, expected 2"],
  ["a length beyond the end", Uint8Array.of(0x0a, 0x7f), "records[0].key: ends before it is complete"],
];

describe("scanRecord", () => {
  it.each(refused)("refuses %s", (_name, record, message) => {
    expect(faultOf(record)).toBe(message);
  });

  it("accepts JSON nested as deep as allowed, and refuses deeper JSON", () => {
    const deepest = Math.floor((recordBounds.bodyDepth + 0) / 3);
    expect(faultOf({ body: { $case: "json", value: nested(deepest) as { [key: string]: unknown } } })).toBe("taken");
    expect(faultOf({ body: { $case: "json", value: nested(deepest + 1) as { [key: string]: unknown } } })).toContain(
      "is nested too deep",
    );
  });

  it("refuses a tag of more bytes than it needs, which some readers do not find", () => {
    for (const record of [Uint8Array.of(0x8a, 0x00, 1, 0x6b), Uint8Array.of(0x12, 5, 0x8a, 0x00, 1, 0x6b, 0x00)]) {
      const writer = new BinaryWriter().uint32(18).bytes(record);
      expect(() => splitRequest(writer.finish(), defaultLimits)).toThrow("has a tag that is longer than necessary");
    }
  });

  it("accepts U+0000 in a text body, and __proto__ as key and attribute name", () => {
    expect(faultOf({ body: { $case: "text", value: "a\u0000b" } })).toBe("taken");
    expect(faultOf({ key: "__proto__", attributes: new Map([["__proto__", "x"]]) })).toBe("taken");
  });
});

describe("splitRequest", () => {
  const small = { recordBytes: 100, batchRecords: 2, batchBytes: 150 };
  const request = (lengths: number[]) => {
    const writer = new BinaryWriter();
    for (const length of lengths) writer.uint32(18).bytes(text(3, new Uint8Array(length)));
    return writer.finish();
  };

  it.each([
    ["a record above its limit", [98], /records\[0\]: has 123 bytes with its stamp, at most 100 are allowed/],
    ["too many records", [1, 1, 1], /records: at most 2 are allowed in a batch/],
    ["too many bytes together", [60, 60], /records: have 170 bytes together, at most 150 are allowed/],
  ])("refuses %s, naming the limit", (_name, lengths, message) => {
    expect(() => splitRequest(request(lengths), small)).toThrow(message);
  });
});
