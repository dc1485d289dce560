import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../src/core/index.js";
import { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { stampBatches, splitRequest, StoredRecord } from "../../src/wire/index.js";
import { recordArbitrary } from "../support/record-arbitrary.js";

const time = fc.integer({ min: 0, max: 4_000_000_000_000_000 });

/** A record's fields one by one: a producer may send them in any order. */
function fieldsOf({ attributes, ...message }: RecordMessage): readonly Uint8Array[] {
  const parts: Partial<RecordMessage>[] = Object.entries(message).map(([name, value]) => ({ [name]: value }));
  parts.push(...[...attributes].map((entry) => ({ attributes: new Map([entry]) })));
  return parts.map((part) => RecordMessage.encode(RecordMessage.fromPartial(part)).finish());
}

/** The same length-delimited field, whose length takes one byte more than it needs. */
function withLongLength(field: Uint8Array): Uint8Array {
  const last = field.findIndex((byte, at) => at > 0 && byte < 0x80);
  return Uint8Array.of(...field.subarray(0, last), (field[last] as number) | 0x80, 0, ...field.subarray(last + 1));
}

/** Encoded records as producers may send them: in any order, with longer lengths, and with two members of the oneof. */
const sentRecord = fc
  .tuple(recordArbitrary, fc.option(recordArbitrary, { nil: undefined }), fc.boolean())
  .chain(([record, other, isLong]) => {
    const fields = [...fieldsOf(record)];
    if (other?.body !== undefined && other.body.$case !== record.body?.$case) {
      fields.push(RecordMessage.encode(RecordMessage.fromPartial({ body: other.body })).finish());
    }
    // Only the offset, tag 0x79, has no length.
    const sent = fields
      .filter(({ length }) => length > 0)
      .map((field) => (isLong && field[0] !== 0x79 ? withLongLength(field) : field));
    return fc.shuffledSubarray(sent, { minLength: sent.length });
  })
  .map((fields) => Buffer.concat(fields));

function framesOf(records: readonly Uint8Array[], firstOffset: number, timeMicros: number) {
  const writer = new BinaryWriter();
  for (const record of records) writer.uint32(18).bytes(record);
  return stampBatches([splitRequest(writer.finish(), defaultLimits).batch], firstOffset, timeMicros);
}

const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

describe("StoredRecord", () => {
  test("walk(), finds the same values in any frame as the generated decoder", () => {
    // Reused for all frames, as its owners do.
    const note = new StoredRecord();
    fc.assert(
      fc.property(
        fc.array(sentRecord, { minLength: 1, maxLength: 5 }),
        fc.nat(2 ** 40),
        time,
        (sent, first, timeMicros) => {
          const { bytes, ends } = framesOf(sent, first, timeMicros);
          let start = 0;
          for (const [index, end] of ends.entries()) {
            const read = note.walk(bytes, start, end);
            const frame = bytes.subarray(start, end);
            const record = frame.subarray(frame.findIndex((byte, at) => at > 0 && byte < 0x80) + 1);
            const decoded = RecordMessage.decode(record);
            expect(read.size).toBe(record.length);
            expect([read.offset, read.timeMicros]).toEqual([first + index, timeMicros]);
            expect(read.key).toBe(decoded.key);
            expect(read.keyQueue === undefined).toBe(decoded.key === "");
            expect(read.isTombstone).toBe(decoded.body === undefined);
            expect(read.text).toBe(decoded.body?.$case === "text" ? decoded.body.value : undefined);
            expect(plain(read.json)).toEqual(plain(decoded.body?.$case === "json" ? decoded.body.value : undefined));
            expect(read.location).toEqual(decoded.location);
            expect(read.eventTime?.getTime()).toBe(
              decoded.eventTime && decoded.eventTime.seconds * 1000 + Math.floor(decoded.eventTime.nanos / 1e6),
            );
            expect(read.expiryMicros).toBe(
              decoded.lifetime &&
                timeMicros + decoded.lifetime.seconds * 1e6 + Math.ceil(decoded.lifetime.nanos / 1000),
            );
            expect(read.attributes).toEqual(decoded.attributes);
            start = end;
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("hasAttribute(), agrees with the generated decoder's map, also for names that occur twice", () => {
    const name = fc.constantFrom("a", "b", "ß");
    const value = fc.constantFrom("", "x", "a", "xy");
    const entries = fc.array(fc.tuple(name, value), { maxLength: 5 });
    fc.assert(
      fc.property(entries, recordArbitrary, name, value, (pairs, record, wantedName, wantedValue) => {
        const sent = pairs.map(([key, text]) =>
          fieldsOf(RecordMessage.fromPartial({ attributes: new Map([[key, text]]) })),
        );
        const rest = fieldsOf({ ...record, attributes: new Map() });
        const { bytes } = framesOf([Buffer.concat([...sent.flat(), ...rest, ...sent.flat()])], 0, 0);
        const note = new StoredRecord().walk(bytes, 0, bytes.length);
        const attributes = new Map(pairs);
        const nameBytes = Buffer.from(wantedName);
        expect(note.hasAttribute(nameBytes, undefined)).toBe(attributes.has(wantedName));
        expect(note.hasAttribute(nameBytes, Buffer.from(wantedValue))).toBe(attributes.get(wantedName) === wantedValue);
      }),
    );
  });

  test("keyQueue, does not change, since stored claims rely on it", () => {
    const queues = ["", "a", "order-17", "ßßß", "k".repeat(1024)].map((key) => {
      const { bytes } = framesOf([RecordMessage.encode(RecordMessage.fromPartial({ key })).finish()], 0, 0);
      return new StoredRecord().walk(bytes, 0, bytes.length).keyQueue;
    });
    expect(queues).toEqual([undefined, 444_641_715, 1_074_934_568, 180_723_315, 4_006_210_812]);
  });
});
