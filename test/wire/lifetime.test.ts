import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../src/core/index.js";
import { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import {
  durationOfMs,
  durationOfText,
  durationText,
  stampBatches,
  msOfDuration,
  splitRequest,
  StoredRecord,
  thinPage,
  unexpiredAt,
} from "../../src/wire/index.js";
import { recordArbitrary } from "../support/record-arbitrary.js";

const century = 3_155_760_000;
const lifetimeArbitrary = fc.option(
  fc.record({ seconds: fc.integer({ min: 1, max: century - 1 }), nanos: fc.integer({ min: 0, max: 999_999_999 }) }),
  { nil: undefined },
);

/** Frames of these records, as a commit at this time makes them. */
function framed(records: readonly RecordMessage[], timeMicros: number) {
  const writer = new BinaryWriter();
  for (const record of records) writer.uint32(18).bytes(RecordMessage.encode(record).finish());
  const { batch } = splitRequest(writer.finish(), { ...defaultLimits, recordBytes: 100_000, batchBytes: 1_000_000 });
  return { batch, frames: stampBatches([batch], 5, timeMicros) };
}

describe("lifetimes", () => {
  test("unexpiredAt(), keeps the records whose lifetime has not ended, whatever else they contain", () => {
    const record = fc
      .tuple(recordArbitrary, lifetimeArbitrary)
      .map(([message, lifetime]): RecordMessage => ({ ...message, lifetime }));
    const time = fc.integer({ min: 1, max: 2 ** 52 });
    const wait = fc.oneof(fc.nat({ max: 3_000_000 }), fc.nat({ max: century * 1_000_000 }));
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), time, wait, (records, timeMicros, waitMicros) => {
        const { batch, frames } = framed(records, timeMicros);
        expect(batch.hasLifetimes).toBe(records.some(({ lifetime }) => lifetime !== undefined));
        const expiries = records.map(({ lifetime }) =>
          lifetime === undefined ? undefined : timeMicros + lifetime.seconds * 1e6 + Math.ceil(lifetime.nanos / 1000),
        );
        const now = timeMicros + waitMicros;
        const kept = thinPage(frames.bytes, unexpiredAt(now));
        expect(kept.records).toBe(expiries.filter((expiry) => expiry === undefined || expiry > now).length);
        // Nothing is copied if all records are kept.
        if (kept.records === records.length) expect(kept.runs).toHaveLength(1);
      }),
    );
  });

  test("StoredRecord.expiryMicros, takes the last value of a field that occurs twice", () => {
    // Field 9; seconds 1, then 2.
    const record = Uint8Array.of(0x4a, 4, 0x08, 1, 0x08, 2);
    const request = new BinaryWriter().uint32(18).bytes(record).finish();
    const { bytes, ends } = stampBatches([splitRequest(request, defaultLimits).batch], 0, 7);
    expect(new StoredRecord().walk(bytes, 0, ends[0] as number).expiryMicros).toBe(2_000_007);
  });
});

describe("durations", () => {
  test("durationText(), writes proto3 JSON, which durationOfText() reads", () => {
    const texts = ["0s", "30s", "1.500s", "0.000001s", "3.000000001s", "3155760000s"];
    for (const text of texts) {
      const duration = durationOfText(text);
      expect(duration && durationText(duration)).toBe(text);
    }
    expect(durationOfText("1.5s")).toEqual({ seconds: 1, nanos: 500_000_000 });
    for (const text of ["", "1", "-1s", "1.s", ".5s", "1.0000000001s", "1e3s", "1 s"]) {
      expect(durationOfText(text), text).toBeUndefined();
    }
  });

  test("durationOfMs(), keeps every microsecond of a hundred years", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: century * 1_000_000 }), (micros) => {
        const duration = durationOfMs(micros / 1000);
        expect(duration.seconds * 1_000_000 + duration.nanos / 1000).toBe(micros);
        expect(msOfDuration(duration)).toBe(micros / 1000);
      }),
    );
  });
});
