import { once } from "node:events";
import { PassThrough, Readable, Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import {
  batchItems,
  callsAtOnce,
  capacity,
  identity,
  isWanted,
  mergedSources,
  numbers,
  numbersLater,
  openStreamWork,
  partsOf,
  producers,
  receivers,
  type StreamWorkConfig,
  type Tally,
  takenOf,
  triple,
  type Ways,
} from "../harness/stream-work.js";

/** Its forEach is a map, and costs more. */
function add(tally: Tally, item: number): Tally {
  tally.see(item);
  return tally;
}

const ways: Ways = {
  pipeline: (items, tally) =>
    Readable.from(numbers(0, items)).map(triple).filter(isWanted).take(takenOf(items)).reduce(add, tally),
  async generator(items, tally) {
    const taken = Readable.from(numbersLater(0, items)).map(triple).filter(isWanted).take(takenOf(items));
    for await (const item of taken) tally.see(item as number);
  },
  merge: {
    note: "has no merge: eight Readables piped into one PassThrough",
    run: (items, tally) => mergeInto(items, numbers, tally),
  },
  "merge-generators": {
    note: "has no merge: eight Readables piped into one PassThrough",
    run: (items, tally) => mergeInto(items, numbersLater, tally),
  },
  batch: {
    note: "has no such operator: a generator in a pipeline",
    run: (items, tally) =>
      pipeline(
        Readable.from(numbers(0, items)),
        async function* (source: AsyncIterable<number>) {
          let batch: number[] = [];
          for await (const item of source) {
            batch.push(item);
            if (batch.length < batchItems) continue;
            yield batch;
            batch = [];
          }
          if (batch.length > 0) yield batch;
        },
        async (batches: AsyncIterable<number[]>) => {
          for await (const batch of batches) tally.seeAll(batch);
        },
      ),
  },
  concurrent: {
    note: "in order: it has no other",
    run: (items, tally) =>
      Readable.from(numbers(0, items)).map(identity, { concurrency: callsAtOnce }).reduce(add, tally),
  },
  "channel-1": { note: "a PassThrough", run: (items, tally) => throughPassThrough(items, 1, tally) },
  "channel-8": { note: "a PassThrough", run: (items, tally) => throughPassThrough(items, producers, tally) },
  broadcast: {
    note: "a Readable piped into 100 Writables: the slowest sets the pace",
    async run(items, tally) {
      const source = Readable.from(numbers(0, items), { highWaterMark: capacity });
      source.setMaxListeners(0);
      const all = Array.from({ length: receivers }, () => {
        const sink = new Writable({
          objectMode: true,
          highWaterMark: capacity,
          write(item: number, _encoding, done) {
            tally.see(item);
            done();
          },
        });
        source.pipe(sink);
        return finished(sink);
      });
      await Promise.all(all);
    },
  },
};

async function mergeInto(items: number, source: typeof numbers | typeof numbersLater, tally: Tally): Promise<void> {
  const merged = new PassThrough({ objectMode: true });
  merged.setMaxListeners(0);
  const sources = partsOf(items, mergedSources).map(([from, to]) => Readable.from(source(from, to)));
  for (const each of sources) each.pipe(merged, { end: false });
  void Promise.all(sources.map((each) => finished(each))).then(() => merged.end());
  for await (const item of merged) tally.see(item as number);
}

async function throughPassThrough(items: number, senders: number, tally: Tally): Promise<void> {
  const between = new PassThrough({ objectMode: true, highWaterMark: capacity });
  between.setMaxListeners(0);
  const produce = async ([from, to]: readonly [number, number]) => {
    for (let item = from; item < to; item += 1) if (!between.write(item)) await once(between, "drain");
  };
  void Promise.all(partsOf(items, senders).map(produce)).then(() => between.end());
  for await (const item of between) tally.see(item as number);
}

export const open = (config: StreamWorkConfig) => openStreamWork(ways, config);
