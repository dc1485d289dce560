import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../src/core/index.js";
import { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { AppendRequest, FollowResponse } from "../../src/gen/millrace/v1/record_service.js";
import {
  BackwardWriter,
  decodeRecordsMessage,
  encodePageMessage,
  withoutPrefix,
  stampBatches,
  type ReceivedRecord,
  type RecordInput,
  splitRequest,
  writeRecord,
} from "../../src/wire/index.js";
import { recordArbitrary } from "../support/record-arbitrary.js";

type Message = RecordMessage;

/** The message that a server sends for these records. */
function messageOf(records: readonly Message[], firstOffset: number, timeMicros: number): Buffer {
  const request = AppendRequest.encode({
    topic: "t",
    records: [...records],
    expectedOffset: undefined,
    producer: undefined,
    epoch: 0,
  });
  const { batch } = splitRequest(Buffer.from(request.finish()), { ...defaultLimits, batchRecords: 1000 });
  const frames = stampBatches([batch], firstOffset, timeMicros);
  return withoutPrefix(encodePageMessage([frames.bytes], { epoch: 7, offset: firstOffset + records.length }));
}

function received(record: Message): ReceivedRecord {
  const [first] = decodeRecordsMessage(messageOf([record], 5, 1_700_000_000_123_456)).records;
  if (first === undefined) throw new Error("nothing was decoded");
  return first;
}

function written(input: RecordInput): Buffer {
  const writer = new BackwardWriter(16);
  writeRecord(writer, input, "record");
  return Buffer.from(writer.written);
}

function bodyOf(record: ReceivedRecord): Message["body"] {
  const { body } = record;
  if (body === undefined) return undefined;
  if (body.kind === "data") return { $case: "data", value: new Uint8Array(body.value) };
  if (body.kind === "message") {
    return { $case: "message", value: { typeUrl: body.value.typeUrl, value: new Uint8Array(body.value.value) } };
  }
  return { $case: body.kind, value: body.value } as Message["body"];
}

function plainBytes(body: Message["body"]): Message["body"] {
  if (body?.$case === "data") return { $case: "data", value: new Uint8Array(body.value) };
  if (body?.$case === "message") {
    return { $case: "message", value: { ...body.value, value: new Uint8Array(body.value.value) } };
  }
  return body;
}

/** JSON knows no -0. */
const json = (value: unknown) => (value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown));

describe("decodeRecordsMessage()", () => {
  test("reads what the generated code writes", () => {
    fc.assert(
      fc.property(recordArbitrary, (record) => {
        const read = received(record);
        expect(read.key).toBe(record.key);
        expect([...read.attributes]).toEqual([...record.attributes]);
        expect(json(bodyOf(read))).toEqual(json(plainBytes(record.body)));
        expect(json(read.location)).toEqual(json(record.location));
        expect(read.eventTimestamp).toEqual(record.eventTime);
        expect([read.offset, read.timeMicros]).toEqual([5, 1_700_000_000_123_456]);
      }),
    );
  });

  test("reads a stamp of any width", () => {
    const record = RecordMessage.fromPartial({
      key: "k",
      time: { seconds: 1_700_000_000, nanos: 5000 },
      offset: 2 ** 40 + 3,
    });
    const bytes = Buffer.from(RecordMessage.encode(record).finish());
    const { records } = decodeRecordsMessage(Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes]));
    expect([records[0]?.offset, records[0]?.timeMicros]).toEqual([2 ** 40 + 3, 1_700_000_000_000_005]);
  });

  test("reads pages of many records with the position after them", () => {
    fc.assert(
      fc.property(fc.array(recordArbitrary, { minLength: 1, maxLength: 20 }), (records) => {
        const message = decodeRecordsMessage(messageOf(records, 100, 1));
        expect(message.records.map((record) => record.offset)).toEqual(records.map((_, index) => 100 + index));
        expect(message.records.map((record) => record.key)).toEqual(records.map((record) => record.key));
        expect(message.next).toEqual({ epoch: 7, offset: 100 + records.length });
        expect(message.rest).toBeUndefined();
      }),
    );
  });

  test("keeps the fields that are neither records nor a position", () => {
    const response = FollowResponse.encode({
      records: [],
      next: { epoch: 3, offset: 4 },
      event: { $case: "fellBehind", value: { lag: 77 } },
    });
    const { records, next, rest } = decodeRecordsMessage(Buffer.from(response.finish()));
    expect([records, next]).toEqual([[], { epoch: 3, offset: 4 }]);
    expect(FollowResponse.decode(rest as Buffer).event).toEqual({ $case: "fellBehind", value: { lag: 77 } });
  });

  test("skips fields of a later version", () => {
    // Field 20 as varint, fixed64, bytes and fixed32, before a key.
    const unknown = [0xa0, 1, 5, 0xa1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0xa2, 1, 2, 9, 9, 0xa5, 1, 1, 2, 3, 4];
    const record = [...unknown, 0x0a, 1, 0x6b];
    const { records } = decodeRecordsMessage(Buffer.from([0x0a, record.length, ...record]));
    expect(records[0]?.key).toBe("k");
  });

  test("refuses every message that is cut off inside a record", () => {
    const record = RecordMessage.fromPartial({ key: "key", body: { $case: "text", value: "text" } });
    const whole = messageOf([record], 1, 1);
    const recordEnd = whole.indexOf(0x12);
    expect(recordEnd).toBeGreaterThan(30);
    for (let length = 1; length < recordEnd; length++) {
      expect(() => decodeRecordsMessage(whole.subarray(0, length)), `${length} bytes`).toThrow(RangeError);
    }
  });

  test("never loops or throws anything but a RangeError, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          for (const record of decodeRecordsMessage(Buffer.from(bytes)).records) record.toJSON();
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("ReceivedRecord", () => {
  test("keeps __proto__ as an attribute and as a name in JSON", () => {
    const value = JSON.parse('{"__proto__": {"deep": [{"__proto__": 1}]}, "b": 2}') as { [key: string]: unknown };
    const writer = new BackwardWriter();
    writeRecord(writer, { attributes: new Map([["__proto__", "x"]]), json: value, key: "__proto__" }, "record");
    const frame = Buffer.from(writer.written);
    const [record] = decodeRecordsMessage(Buffer.concat([Buffer.from([0x0a, frame.length]), frame])).records;
    expect(record?.key).toBe("__proto__");
    expect([...(record?.attributes ?? [])]).toEqual([["__proto__", "x"]]);
    expect(JSON.stringify(record?.json)).toBe('{"__proto__":{"deep":[{"__proto__":1}]},"b":2}');
    expect(Object.getPrototypeOf(record?.json)).toBe(Object.prototype);
    expect(JSON.stringify(record)).toBe(
      '{"key":"__proto__","attributes":{"__proto__":"x"},"json":{"__proto__":{"deep":[{"__proto__":1}]},"b":2},' +
        '"time":"1970-01-01T00:00:00Z","offset":"0"}',
    );
  });

  test("toJSON() writes proto3 JSON", () => {
    const record = received(
      RecordMessage.fromPartial({
        key: "k",
        attributes: new Map([["a", "b"]]),
        body: { $case: "data", value: new Uint8Array([1, 2, 255]) },
        location: { latitude: 1.5, longitude: -2 },
        eventTime: { seconds: -1, nanos: 5 },
        lifetime: { seconds: 90, nanos: 500_000_000 },
      }),
    );
    expect(record.lifetimeMs).toBe(90_500);
    expect(JSON.parse(JSON.stringify(record))).toEqual({
      key: "k",
      attributes: { a: "b" },
      data: "AQL/",
      location: { latitude: 1.5, longitude: -2 },
      eventTime: "1969-12-31T23:59:59.000000005Z",
      lifetime: "90.500s",
      time: "2023-11-14T22:13:20.123456Z",
      offset: "5",
    });
  });

  test("can be published again as it is", () => {
    fc.assert(
      fc.property(recordArbitrary, (record) => {
        const again = RecordMessage.decode(written(received(record)));
        expect(again.key).toBe(record.key);
        expect([...again.attributes]).toEqual([...record.attributes]);
        expect(json(plainBytes(again.body))).toEqual(json(plainBytes(record.body)));
        expect(json(again.location)).toEqual(json(record.location));
        expect(again.eventTime).toEqual(record.eventTime);
        expect(again.lifetime).toEqual(record.lifetime);
        expect([again.time, again.offset]).toEqual([undefined, undefined]);
      }),
    );
  });
});
