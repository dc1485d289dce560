import { SingleBar } from "cli-progress";
import type { Output } from "./output.js";

/** A bar on standard error if that is a terminal. `totalBytes` is undefined for standard input. */
export function showProgress(
  output: Output,
  totalBytes: number | undefined,
  tally: { readonly bytesRead: number; readonly records: number },
): { stop(): void } {
  if (!output.isErrorTerminal) return { stop() {} };
  const startedAt = performance.now();
  const bar = new SingleBar({
    stream: process.stderr,
    format:
      totalBytes === undefined ? "{records} records  {rate}/s" : "{bar} {percentage}%  {records} records  {rate}/s",
    hideCursor: null,
    clearOnComplete: true,
    etaBuffer: 1,
  });
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
