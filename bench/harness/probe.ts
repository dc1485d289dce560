/** Loaded into servers under test before they start: on request, collects garbage and reports the memory in use. */

export interface MemoryReport {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

process.on("message", (order) => {
  if (order !== "measure-memory") return;
  // Twice: what a finalizer releases is collected in the second pass.
  global.gc?.();
  setTimeout(() => {
    global.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    process.send?.({ rss, heapUsed, external } satisfies MemoryReport);
  }, 200);
});
// It must not keep a drained server alive.
process.channel?.unref();
