import { SingleBar } from "cli-progress";
import type { MillraceClient } from "../client/index.js";
import type { Output } from "./output.js";

const lookAgainMs = 500;
/** How often a line is printed where no person looks at a bar. */
const lineMs = 5000;

export interface ParkedWork {
  readonly client: MillraceClient;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * Waits for work that takes parked records away, and gives its answer. Shows on standard error how many are gone: as a
 * bar to a person, else as a line now and then.
 */
export async function withParkedProgress(
  { client, output, signal }: ParkedWork,
  subscription: string,
  work: () => Promise<number>,
): Promise<number> {
  const done = new AbortController();
  const reports = client.subscriptions.describe(subscription, {
    intervalMs: lookAgainMs,
    signal: AbortSignal.any([signal, done.signal]),
  });
  const progress = output.isErrorTerminal ? bar() : lines(output);
  const watching = (async () => {
    for await (const { parkedRecords } of reports) progress.show(parkedRecords);
  })().catch(() => {
    // It only tells how far the work is. What is wrong, the work itself says.
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
