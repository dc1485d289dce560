import { batch, filter, map, parallelMerge, take, transform } from "streaming-iterables";
import {
  batchItems,
  callsAtOnce,
  identity,
  isWanted,
  mergedSources,
  numbers,
  numbersLater,
  openStreamWork,
  partsOf,
  type StreamWorkConfig,
  takenOf,
  triple,
  type Ways,
} from "../harness/stream-work.js";

const ways: Ways = {
  async pipeline(items, tally) {
    const taken = take(takenOf(items), filter(isWanted, map(triple, numbers(0, items))));
    for await (const item of taken) tally.see(item);
  },
  async generator(items, tally) {
    const taken = take(takenOf(items), filter(isWanted, map(triple, numbersLater(0, items))));
    for await (const item of taken) tally.see(item);
  },
  async merge(items, tally) {
    const merged = parallelMerge(...partsOf(items, mergedSources).map(([from, to]) => numbers(from, to)));
    for await (const item of merged) tally.see(item);
  },
  async "merge-generators"(items, tally) {
    const merged = parallelMerge(...partsOf(items, mergedSources).map(([from, to]) => numbersLater(from, to)));
    for await (const item of merged) tally.see(item);
  },
  batch: {
    note: "of a sync iterable it makes a sync one: no promise, and no turn for the event loop",
    run(items, tally) {
      for (const some of batch(batchItems, numbers(0, items))) tally.seeAll(some as number[]);
    },
  },
  async concurrent(items, tally) {
    for await (const item of transform(callsAtOnce, identity, numbers(0, items))) tally.see(item);
  },
  "channel-1": { missing: "has no channel" },
  "channel-8": { missing: "has no channel" },
  broadcast: { missing: "has no broadcast" },
};

export const open = (config: StreamWorkConfig) => openStreamWork(ways, config);
