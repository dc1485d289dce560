import { defaultLimits } from "../../src/core/index.js";
import type { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { AppendRequest } from "../../src/gen/millrace/v1/record_service.js";
import {
  decodeRecordsMessage,
  encodePageMessage,
  withoutPrefix,
  stampBatches,
  ReceivedRecord,
  splitRequest,
} from "../../src/wire/index.js";

/** Records as a reader gets them: taken, stamped and sent as the server does it. */
export function receivedRecords(records: readonly RecordMessage[]): readonly ReceivedRecord[] {
  if (records.length === 0) return [];
  const request = AppendRequest.encode({
    topic: "t",
    records: [...records],
    expectedOffset: undefined,
    producer: undefined,
    epoch: 0,
  });
  const { batch } = splitRequest(Buffer.from(request.finish()), { ...defaultLimits, batchRecords: 1000 });
  const frames = stampBatches([batch], 5, 1_700_000_000_123_456);
  const message = withoutPrefix(encodePageMessage([frames.bytes], { epoch: 7, offset: 5 + records.length }));
  return decodeRecordsMessage(message).records;
}

/** What a record says apart from its stamp, as text that is the same for the same record. */
export function contentOf(record: ReceivedRecord): string {
  const { time: _time, offset: _offset, ...content } = record.toJSON();
  return JSON.stringify(content);
}

/** The same of a record that was encoded, and not sent. */
export function contentOfBytes(bytes: Buffer): string {
  return contentOf(new ReceivedRecord({ bytes, at: 0 }, bytes.length));
}

/** The same content with the fields of a json body in one order: that of a CSV file is the order of its columns. */
export function withSortedFields(content: string): string {
  const record = JSON.parse(content) as { json?: object };
  if (record.json === undefined) return content;
  const fields = Object.entries(record.json).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify({ ...record, json: Object.fromEntries(fields) });
}
