import { bufferCount, filter, from, map, merge, mergeMap, range, Subject, take } from "rxjs";
import {
  batchItems,
  callsAtOnce,
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
  generator: (items, tally) =>
    from(numbersLater(0, items))
      .pipe(map(triple), filter(isWanted), take(takenOf(items)))
      .forEach((item) => tally.see(item)),
  merge: (items, tally) =>
    merge(...partsOf(items, mergedSources).map(([first, end]) => range(first, end - first))).forEach((item) =>
      tally.see(item),
    ),
  "merge-generators": (items, tally) =>
    merge(...partsOf(items, mergedSources).map(([first, end]) => from(numbersLater(first, end)))).forEach((item) =>
      tally.see(item),
    ),
  batch: (items, tally) =>
    range(0, items)
      .pipe(bufferCount(batchItems))
      .forEach((some) => tally.seeAll(some)),
  concurrent: (items, tally) =>
    range(0, items)
      .pipe(mergeMap(identity, callsAtOnce))
      .forEach((item) => tally.see(item)),
  "channel-1": (items, tally) => throughSubject(items, 1, 1, tally),
  "channel-8": (items, tally) => throughSubject(items, producers, 1, tally),
  broadcast: (items, tally) => throughSubject(items, 1, receivers, tally),
};

function throughSubject(items: number, senders: number, observers: number, tally: Tally): Promise<unknown> {
  const subject = new Subject<number>();
  const all = Array.from({ length: observers }, () => subject.forEach((item) => tally.see(item)));
  for (const [first, end] of partsOf(items, senders)) {
    for (let item = first; item < end; item += 1) subject.next(item);
  }
  subject.complete();
  return Promise.all(all);
}

export const open = (config: StreamWorkConfig) => openStreamWork(ways, config);
