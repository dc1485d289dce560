import {
  batch,
  chunks,
  filter,
  idleTimeout,
  last,
  map,
  pipe,
  range,
  scan,
  windows,
  yieldToEventLoop,
} from "../../../src/streams/index.js";

/** How often the heap is measured on the way. */
const samplesMax = 10;

/** Of the pipeline below: 16 in a chunk, 8 of those in a batch, 2 of those in a window. */
const itemsPerWindow = 16 * 8 * 2;

export interface LongRun {
  readonly sum: number | undefined;
  /** What the heap held after a collection, at the start and on the way, in bytes. */
  readonly heapSizes: readonly number[];
}

/**
 * Takes the numbers below `size` through many stages, of each kind that holds something, and sums them up. Whatever a
 * stage keeps for an item that has left it shows in the heap.
 */
export async function runLongPipeline(size: number): Promise<LongRun> {
  const heapSizes: number[] = [];
  const sampleEvery = Math.ceil(size / itemsPerWindow / samplesMax);
  let count = 0;
  const sum = await pipe(
    range(0, size),
    map((n) => ({ n, isKept: true })),
    filter((item) => item.isKept),
    chunks(16),
    batch({ maxItems: 8, maxWaitMs: 1_000 }),
    map(async (batches) => {
      await yieldToEventLoop();
      return batches.flat();
    }),
    idleTimeout(60_000),
    windows({ size: 2, partial: true }),
    scan((total: number, window) => {
      if (count % sampleEvery === 0) heapSizes.push(heapSize());
      count += 1;
      return window.flat().reduce((inner, { n }) => inner + n, total);
    }, 0),
    last(),
  );
  return { sum, heapSizes };
}

function heapSize(): number {
  if (globalThis.gc === undefined) throw new Error("Cannot measure the heap: node was started without --expose-gc");
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}
