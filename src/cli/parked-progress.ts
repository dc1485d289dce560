import type { MillraceClient } from "../client/index.js";
import type { Output } from "./output.js";
import { showWork } from "./progress.js";

const pollMs = 500;

export interface ParkedWork {
  readonly client: MillraceClient;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** Waits for work that removes parked records, and returns its result. Shows the progress on standard error. */
export async function withParkedProgress(
  { client, output, signal }: ParkedWork,
  subscription: string,
  work: () => Promise<number>,
): Promise<number> {
  const done = new AbortController();
  const reports = client.subscriptions.describe(subscription, {
    intervalMs: pollMs,
    signal: AbortSignal.any([signal, done.signal]),
  });
  const progress = showWork(output, {
    bar: "{bar} {value} of {total} parked records",
    line: (removed, total) => `${removed} of ${total} parked records are done`,
  });
  const watching = (async () => {
    let total = 0;
    for await (const { parkedRecords } of reports) {
      // Others may have been parked meanwhile.
      total = Math.max(total, parkedRecords);
      progress.show(total - parkedRecords, total);
    }
  })().catch(() => {
    // The reports only show progress; `work` throws its own failure.
  });
  try {
    return await work();
  } finally {
    done.abort();
    await watching;
    progress.stop();
  }
}
