/** Loaded into servers under test before they start: collects garbage and tells how much memory is left, when asked. */

export interface MemoryReport {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

process.on("message", (order) => {
  if (order !== "measure-memory") return;
  // Twice: what a finalizer lets go goes in the second pass.
  global.gc?.();
  setTimeout(() => {
    global.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    process.send?.({ rss, heapUsed, external } satisfies MemoryReport);
  }, 200);
});
// It must not keep a server alive that has drained.
process.channel?.unref();
