import { describe, expect, test } from "vitest";
import { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import {
  GetParkedRecordResponse,
  ListParkedRecordsResponse,
  ParkedRecord,
} from "../../src/gen/millrace/v1/subscription_service.js";
import { decodeParkedMessage } from "../../src/wire/index.js";

const parked = (offset: number) =>
  ParkedRecord.fromPartial({
    record: RecordMessage.fromPartial({ key: `k${offset}`, offset, body: { $case: "text", value: "x".repeat(200) } }),
    parkTime: { seconds: 5, nanos: 6 },
    attempts: 3,
    reasons: ["a", "", "c"],
  });

describe("decodeParkedMessage()", () => {
  test("decodes the records, and leaves the rest to the generated decoder", () => {
    const records = [parked(7), parked(2 ** 40)];
    const bytes = Buffer.from(ListParkedRecordsResponse.encode({ records, nextPageToken: "more" }).finish());
    const message = decodeParkedMessage(bytes);
    expect(message.records.map(({ record }) => [record.offset, record.key, record.text?.length])).toEqual([
      [7, "k7", 200],
      [2 ** 40, `k${2 ** 40}`, 200],
    ]);
    expect(message.records.map(({ rest }) => ParkedRecord.decode(rest))).toEqual(
      records.map((record) => ({ ...record, record: undefined })),
    );
    expect(ListParkedRecordsResponse.decode(message.rest)).toEqual({ records: [], nextPageToken: "more" });
    const one = Buffer.from(GetParkedRecordResponse.encode({ record: parked(9) }).finish());
    expect(decodeParkedMessage(one).records.map(({ record }) => record.offset)).toEqual([9]);
  });

  test("refuses a broken message", () => {
    const bytes = Buffer.from(GetParkedRecordResponse.encode({ record: parked(9) }).finish());
    expect(() => decodeParkedMessage(bytes.subarray(0, 30))).toThrow(RangeError);
    const empty = Buffer.from(
      ListParkedRecordsResponse.encode({ records: [ParkedRecord.fromPartial({})], nextPageToken: "" }).finish(),
    );
    expect(() => decodeParkedMessage(empty)).toThrow("it has no record");
  });
});
