import { defaultLimits } from "../../src/core/index.js";
import { AppendRequest } from "../../src/gen/millrace/v1/record_service.js";
import { type Frames, stampBatches, type RecordBatch, splitRequest } from "../../src/wire/index.js";

/** A batch of records with data of these sizes, and lifetimes where there are any, as a request would bring it. */
export function batchOf(sizes: readonly number[], lifetimes: readonly (number | undefined)[] = []): RecordBatch {
  const records = sizes.map((size, index) => ({
    key: "",
    attributes: new Map<string, string>(),
    body: { $case: "data" as const, value: new Uint8Array(size) },
    location: undefined,
    lifetime: lifetimes[index] === undefined ? undefined : { seconds: lifetimes[index], nanos: 0 },
    eventTime: undefined,
    time: undefined,
    offset: undefined,
  }));
  const request = AppendRequest.encode({
    topic: "t",
    records,
    expectedOffset: undefined,
    producer: undefined,
    epoch: 0,
  }).finish();
  return splitRequest(request, defaultLimits).batch;
}

/** Frames of records with data of these sizes. */
export function framesOf(sizes: readonly number[], firstOffset: number, timeMicros = 0): Frames {
  return stampBatches([batchOf(sizes)], firstOffset, timeMicros);
}
