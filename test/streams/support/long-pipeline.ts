import {
  batch,
  buffered,
  chunks,
  filter,
  flatMap,
  fold,
  map,
  merge,
  pipe,
  prefetch,
  range,
  scan,
  windows,
  yieldToEventLoop,
} from "../../../src/streams/index.js";

/** How often the heap is measured on the way. */
const samplesMax = 10;

export interface LongRun {
  readonly sum: number;
  /** Heap bytes after a collection, at the start and on the way. */
  readonly heapSizes: readonly number[];
}

/**
 * Sums the numbers below `size` through many stages, of each kind that holds items. If a stage keeps anything for an item
 * that has left it, the heap shows it.
 */
export async function runLongPipeline(size: number): Promise<LongRun> {
  const heapSizes: number[] = [];
  const sampleEvery = Math.floor(size / samplesMax);
  let count = 0;
  const sum = await pipe(
    merge([range(0, size, 2), range(1, size, 2)]),
    map((n) => ({ n, isKept: true })),
    filter((item) => item.isKept),
    flatMap(({ n }) => [n, 0]),
    chunks(16),
    batch({ maxItems: 8 }),
    buffered(4, async (batches) => {
      await yieldToEventLoop();
      return batches.flat();
    }),
    prefetch(2),
    flatMap((numbers) => numbers),
    scan(([, index]: readonly [number, number], n) => [n, index + 1] as const, [0, -1] as const),
    windows({ size: 2 }),
    fold((total, pair) => {
      if (count % sampleEvery === 0) heapSizes.push(heapSize());
      count += 1;
      return pair.reduce((inner, [n]) => inner + n, total);
    }, 0),
  );
  return { sum, heapSizes };
}

function heapSize(): number {
  if (globalThis.gc === undefined) throw new Error("Cannot measure the heap: node was started without --expose-gc");
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}
