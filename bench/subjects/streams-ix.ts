/** IxJS in its package for new engines: the package `ix` has generators compiled to older JavaScript, and is slower. */

import { AsyncSink, from, merge, range } from "@reactivex/ix-esnext-esm/asynciterable";
import { buffer, filter, flatMap, map, publish, take } from "@reactivex/ix-esnext-esm/asynciterable/operators";
import {
  batchItems,
  callsAtOnce,
  capacity,
  identity,
  isWanted,
  mergedSources,
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

const ways: Ways = {
  pipeline: (items, tally) =>
    range(0, items)
      .pipe(map(triple), filter(isWanted), take(takenOf(items)))
      .forEach((item) => tally.see(item)),
  async generator(items, tally) {
    const taken = from(numbersLater(0, items)).pipe(map(triple), filter(isWanted), take(takenOf(items)));
    for await (const item of taken) tally.see(item);
  },
  async merge(items, tally) {
    const [first, ...others] = partsOf(items, mergedSources).map(([start, end]) => range(start, end - start));
    if (first !== undefined) for await (const item of merge(first, ...others)) tally.see(item);
  },
  async "merge-generators"(items, tally) {
    const [first, ...others] = partsOf(items, mergedSources).map(([start, end]) => numbersLater(start, end));
    if (first !== undefined) for await (const item of merge(first, ...others)) tally.see(item);
  },
  batch: (items, tally) =>
    range(0, items)
      .pipe(buffer(batchItems))
      .forEach((some) => tally.seeAll(some)),
  concurrent: {
    note: "flatMap of promises",
    run: (items, tally) =>
      range(0, items)
        .pipe(flatMap((item) => from(identity(item)), callsAtOnce))
        .forEach((item) => tally.see(item)),
  },
  "channel-1": {
    note: "AsyncSink: no bound, writing never waits; written a bufferful at a time",
    isRanked: false,
    run: (items, tally) => throughSink(items, 1, tally),
  },
  "channel-8": {
    note: "AsyncSink: no bound, writing never waits; written a bufferful at a time",
    isRanked: false,
    run: (items, tally) => throughSink(items, producers, tally),
  },
  broadcast: {
    note: "publish: the buffer has no bound",
    async run(items, tally) {
      const published = range(0, items).pipe(publish());
      const all = Array.from({ length: receivers }, async () => {
        for await (const item of published) tally.see(item);
      });
      await Promise.all(all);
    },
  },
};

/**
 * Its queue is an array with `shift`, slow from about 10,000 items on: so it writes no further ahead than
 * the capacity of the others.
 */
async function throughSink(items: number, senders: number, tally: Tally): Promise<void> {
  const sink = new AsyncSink<number>();
  const parts = partsOf(items, senders);
  const ahead = capacity / senders;
  const perSender = items / senders;
  let written = 0;
  const writeAhead = () => {
    const end = Math.min(perSender, written + ahead);
    for (const [start] of parts) for (let item = written; item < end; item += 1) sink.write(start + item);
    written = end;
    if (written === perSender) sink.end();
  };
  writeAhead();
  let left = written * senders;
  for await (const item of sink) {
    tally.see(item);
    left -= 1;
    if (left > 0 || written === perSender) continue;
    const before = written;
    writeAhead();
    left = (written - before) * senders;
  }
}

export const open = (config: StreamWorkConfig) => openStreamWork(ways, config);
