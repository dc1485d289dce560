import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultLimits, MillraceError } from "../../src/core/index.js";
import { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { AppendRequest, FollowResponse, ReadResponse } from "../../src/gen/millrace/v1/record_service.js";
import {
  batchBytes,
  checkBatch,
  decodeRecordsMessage,
  encodePageMessage,
  withoutPrefix,
  stampBatches,
  frameEnds,
  readStamp,
  splitRequest,
  stampBytes,
} from "../../src/wire/index.js";
import { recordArbitrary } from "../support/record-arbitrary.js";

function encodeAppend(records: RecordMessage[], topic = "orders"): Uint8Array {
  return AppendRequest.encode({ topic, records, expectedOffset: 7, producer: undefined, epoch: 0 }).finish();
}

const anyOffset = fc.oneof(fc.nat(), fc.integer({ min: 2 ** 31, max: 2 ** 53 - 2000 }));
const anyTimeMicros = fc.integer({ min: 0, max: 4_000_000_000_000_000 });

describe("stampBatches", () => {
  it("keeps every field of every record, and stamps time and offset over forged ones", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(recordArbitrary, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
        anyOffset,
        anyTimeMicros,
        (batches, firstOffset, timeMicros) => {
          const split = batches.map((records) => splitRequest(encodeAppend(records), defaultLimits));
          const frames = stampBatches(
            split.map(({ batch }) => batch),
            firstOffset,
            timeMicros,
          );
          const next = { epoch: 5, offset: firstOffset + frames.ends.length };
          const message = withoutPrefix(encodePageMessage([frames.bytes], next));

          const read = ReadResponse.decode(message);
          const expected = batches.flat().map((record, index) => ({
            ...record,
            time: { seconds: Math.floor(timeMicros / 1e6), nanos: (timeMicros % 1e6) * 1000 },
            offset: firstOffset + index,
          }));
          expect(read.records).toEqual(asDecoded(expected));
          expect(read.next).toEqual(next);
          // Both responses that carry pages have the same fields for them.
          expect(FollowResponse.decode(message).records).toEqual(read.records);
          expect(FollowResponse.decode(message).next).toEqual(next);

          expect(frameEnds(frames.bytes, frames.ends.length)).toEqual(frames.ends);
          frames.ends.forEach((end, index) => {
            expect(readStamp(frames.bytes, end)).toEqual({ offset: firstOffset + index, timeMicros });
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it("adds the same number of bytes to every record, whatever its offset and time", () => {
    const { batch } = splitRequest(encodeAppend([RecordMessage.fromPartial({ key: "k" })]), defaultLimits);
    const lengths = [stampBatches([batch], 0, 0), stampBatches([batch], 2 ** 53 - 2, 4e15)].map(
      (frames) => frames.bytes.length,
    );
    expect(lengths).toEqual([1 + 1 + 3 + stampBytes, 1 + 1 + 3 + stampBytes]);
  });
});

describe("checkBatch", () => {
  it("counts the bytes of a record as the node's limits do, however many bytes its length takes", () => {
    const body = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 16_300, max: 16_500 }));
    fc.assert(
      fc.property(fc.array(body, { minLength: 1, maxLength: 5 }), (sizes) => {
        const records = sizes.map((size) =>
          RecordMessage.fromPartial({ body: { $case: "data", value: new Uint8Array(size) } }),
        );
        const { batch } = splitRequest(encodeAppend(records), defaultLimits);
        const bytes = records.map((record) => RecordMessage.encode(record).finish().length + stampBytes);
        const together = bytes.reduce((sum, each) => sum + each, 0);
        expect(batchBytes(batch)).toBe(together);
        const exact = { recordBytes: Math.max(...bytes), batchRecords: records.length, batchBytes: together };
        checkBatch(batch, exact);
        for (const [name, value] of Object.entries(exact)) {
          expect(() => checkBatch(batch, { ...exact, [name]: value - 1 })).toThrow(MillraceError);
        }
      }),
    );
  });
});

describe("splitRequest", () => {
  it("returns the request without its records", () => {
    const bytes = encodeAppend([RecordMessage.fromPartial({ key: "a" }), RecordMessage.fromPartial({ key: "b" })]);
    const { batch, rest } = splitRequest(bytes, defaultLimits);
    expect(batch.ends.length).toBe(2);
    expect(AppendRequest.decode(rest)).toMatchObject({ topic: "orders", expectedOffset: 7, records: [] });
  });

  it("refuses or splits any bytes, and every decoder reads the records that it accepts", () => {
    const mutated = fc
      .tuple(fc.array(recordArbitrary, { maxLength: 3 }), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
      .map(([records, changes]) => {
        const bytes = Uint8Array.from(encodeAppend(records));
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        return bytes;
      });
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        try {
          const { batch } = splitRequest(bytes, defaultLimits);
          if (batch.ends.length === 0) return;
          const frames = stampBatches([batch], 10, 1_700_000_000_000_000);
          const page = withoutPrefix(encodePageMessage([frames.bytes], { epoch: 1, offset: 0 }));
          const read = ReadResponse.decode(page);
          expect(read.records.map((record) => record.offset)).toEqual(read.records.map((_record, index) => 10 + index));
          // The client can print all of them.
          expect(JSON.parse(JSON.stringify(decodeRecordsMessage(page).records))).toHaveLength(read.records.length);
          taken++;
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError);
          expect((error as MillraceError).code).toBe("invalid-argument");
          expect((error as MillraceError).violations).toHaveLength(1);
        }
      }),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});

/** The records as decoded: bytes are views of the message, and empty maps are maps. */
function asDecoded(records: RecordMessage[]): RecordMessage[] {
  return records.map((record) => RecordMessage.decode(Buffer.from(RecordMessage.encode(record).finish())));
}
