/** Frames as Millrace stores them, for the limits: they measure the store or gRPC without the rest. */

import { defaultLimits } from "../../src/core/index.js";
import { AppendRequest } from "../../src/gen/millrace/v1/record_service.js";
import { type Frames, stampBatches, type RecordBatch, splitRequest } from "../../src/wire/index.js";

/** A batch of records with these bodies, like a request's. */
export function batchOf(payloads: readonly Uint8Array[], count: number): RecordBatch {
  const records = Array.from({ length: count }, (_, index) => ({
    key: "",
    attributes: new Map<string, string>(),
    body: { $case: "data" as const, value: payloads[index % payloads.length] as Uint8Array },
    location: undefined,
    eventTime: undefined,
    lifetime: undefined,
    time: undefined,
    offset: undefined,
  }));
  const request = AppendRequest.encode({
    topic: "t",
    records,
    expectedOffset: undefined,
    producer: undefined,
    epoch: 0,
  });
  return splitRequest(request.finish(), { ...defaultLimits, batchRecords: count, batchBytes: Number.MAX_SAFE_INTEGER })
    .batch;
}

/** As many of these records as fit into `bytes`, but at least one. */
export function framesWithin(payloads: readonly Uint8Array[], bytes: number): Frames {
  const [one] = stampBatches([batchOf(payloads, 1)], 0, 0).ends;
  const count = Math.max(1, Math.floor(bytes / (one as number)));
  return stampBatches([batchOf(payloads, count)], 0, Date.now() * 1000);
}
