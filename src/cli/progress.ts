/** Progress on standard error. On a terminal it is a bar, which disappears at the end. */

import { SingleBar } from "cli-progress";
import type { Output } from "./output.js";

/** How often a line is printed when standard error is not a terminal. */
const lineMs = 5000;

/** The progress of work whose size is known. */
export interface WorkProgress {
  /** Both may change with each call. */
  show(done: number, total: number): void;
  stop(): void;
}

export interface WorkTexts {
  /** The bar, with the fields of cli-progress. */
  readonly bar: string;
  line(done: number, total: number): string;
}

/** A bar on a terminal, otherwise a line every 5 seconds. */
export function showWork(output: Output, texts: WorkTexts): WorkProgress {
  if (!output.isErrorTerminal) return workLines(output, texts);
  const bar = createBar(texts.bar);
  let isStarted = false;
  return {
    show(done, total) {
      if (!isStarted) bar.start(total, done);
      isStarted = true;
      bar.setTotal(total);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}

function workLines(output: Output, { line }: WorkTexts): WorkProgress {
  let nextLineAtMs = performance.now() + lineMs;
  return {
    show(done, total) {
      if (performance.now() < nextLineAtMs) return;
      nextLineAtMs += lineMs;
      output.tell(line(done, total));
    },
    stop() {},
  };
}

/** What a transfer has done so far. */
export interface TransferTally {
  readonly bytesRead: number;
  readonly records: number;
}

/** A bar with the rate on a terminal, otherwise nothing. `totalBytes` is undefined for standard input. */
export function showTransfer(output: Output, totalBytes: number | undefined, tally: TransferTally): { stop(): void } {
  if (!output.isErrorTerminal) return { stop() {} };
  const startedAt = performance.now();
  const bar = createBar(
    totalBytes === undefined ? "{records} records  {rate}/s" : "{bar} {percentage}%  {records} records  {rate}/s",
  );
  const facts = () => ({
    records: tally.records,
    rate: Math.round(tally.records / Math.max(0.001, (performance.now() - startedAt) / 1000)),
  });
  bar.start(totalBytes ?? 1, 0, facts());
  const timer = setInterval(() => {
    bar.update(Math.min(tally.bytesRead, totalBytes ?? 0), facts());
  }, 200);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      bar.stop();
    },
  };
}

function createBar(format: string): SingleBar {
  return new SingleBar({ stream: process.stderr, format, hideCursor: null, clearOnComplete: true });
}
