/** Appends records with some keys: some are large, some have a lifetime. */

import { defaultLimits } from "../../../../src/core/index.js";
import { AppendRequest } from "../../../../src/gen/millrace/v1/record_service.js";
import { type RecordBatch, splitRequest } from "../../../../src/wire/index.js";
import type { History } from "../history.js";

interface AppendedRecord {
  readonly key: string;
  readonly size: number;
  /** Infinity: no lifetime. */
  readonly lifetimeMs: number;
}

export async function append(history: History, chance: readonly number[]): Promise<void> {
  const [count = 0, on = 0, ...rest] = chance;
  const { name, wallJumpMs } = history.options;
  const records = Array.from({ length: 1 + Math.floor(count * 6) }, (_, index): AppendedRecord => {
    const drawn = rest[index % rest.length] ?? 0;
    const other = (drawn * 7919 + index * 0.37) % 1;
    const isShortLived = (other * 13) % 1 < 0.12;
    return {
      key: other < 0.1 ? "" : `k${Math.floor(other * 40) % 5}`,
      size: drawn < 0.06 ? 400 : 1 + Math.floor(drawn * 100),
      // Lifetimes follow the wall clock: where that jumps, records have none.
      lifetimeMs:
        isShortLived && wallJumpMs === undefined ? 2000 + Math.floor(((other * 31) % 1) * 10) * 1000 : Infinity,
    };
  });
  const named = records.map(({ key, lifetimeMs }) => `${key || "-"}${lifetimeMs < Infinity ? `/${lifetimeMs}` : ""}`);
  history.note(`append ${named.join(" ")}`);
  history.model.appended(records);
  const { engine } = history.node(on).real.node;
  const batch = batchOf(records);
  await history.until(engine.append({ topic: name, batch, expectedOffset: undefined, producer: undefined, epoch: 0 }));
}

function batchOf(records: readonly AppendedRecord[]): RecordBatch {
  const request = AppendRequest.encode({
    topic: "t",
    records: records.map(({ key, size, lifetimeMs }) => ({
      key,
      attributes: new Map<string, string>(),
      body: { $case: "data" as const, value: new Uint8Array(size) },
      location: undefined,
      lifetime: lifetimeMs === Infinity ? undefined : { seconds: lifetimeMs / 1000, nanos: 0 },
      eventTime: undefined,
      time: undefined,
      offset: undefined,
    })),
    expectedOffset: undefined,
    producer: undefined,
    epoch: 0,
  }).finish();
  return splitRequest(request, defaultLimits).batch;
}
