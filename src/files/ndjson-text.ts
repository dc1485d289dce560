import { chunks, map, pipe, type Source, type Stream } from "../streams/index.js";
import type { ReceivedRecord } from "../wire/index.js";
import { recordsPerChunk } from "./records-per-chunk.js";

/** Records as NDJSON: one line per record, in proto3 JSON. */
export function ndjsonFromRecords(records: Source<ReceivedRecord>): Stream<string> {
  return pipe(
    chunks(records, recordsPerChunk),
    map((group) => group.map((record) => `${JSON.stringify(record)}\n`).join("")),
  );
}
