import { SingleBar } from "cli-progress";
import type { MillraceClient } from "../client/index.js";
import type { Output } from "./output.js";

const pollMs = 500;
/** How often a line is printed when standard error is not a terminal. */
const lineMs = 5000;

export interface ParkedWork {
  readonly client: MillraceClient;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * Waits for work that removes parked records, and returns its result. Shows the progress on standard error: a bar on a
 * terminal, otherwise a line every 5 seconds.
 */
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
  const progress = output.isErrorTerminal ? bar() : lines(output);
  const watching = (async () => {
    for await (const { parkedRecords } of reports) progress.show(parkedRecords);
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

interface Progress {
  show(parked: number): void;
  stop(): void;
}

function bar(): Progress {
  const shown = new SingleBar({
    stream: process.stderr,
    format: "{bar} {value} of {total} parked records",
    hideCursor: null,
    clearOnComplete: true,
  });
  let before: number | undefined;
  return {
    show(parked) {
      if (before === undefined) shown.start(parked, 0);
      // Others may have been parked meanwhile.
      before = Math.max(before ?? 0, parked);
      shown.setTotal(before);
      shown.update(before - parked);
    },
    stop: () => shown.stop(),
  };
}

function lines(output: Output): Progress {
  let nextLineAtMs = performance.now() + lineMs;
  let before = 0;
  return {
    show(parked) {
      before = Math.max(before, parked);
      if (performance.now() < nextLineAtMs) return;
      nextLineAtMs += lineMs;
      output.tell(`${before - parked} of ${before} parked records are done`);
    },
    stop() {},
  };
}
