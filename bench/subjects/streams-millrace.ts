import {
  broadcast,
  bufferedUnordered,
  channel,
  chunks,
  filter,
  forEach,
  Lagged,
  map,
  merge,
  pipe,
  range,
  type Sender,
  take,
  yieldToEventLoop,
} from "../../src/streams/index.js";
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

const waysIn = (isPlain: boolean): Ways => ({
  pipeline: (items, tally) =>
    pipe(
      range(0, items),
      map(triple),
      filter(isWanted),
      take(takenOf(items)),
      forEach((item) => tally.see(item)),
    ),
  async generator(items, tally) {
    const taken = pipe(numbersLater(0, items), map(triple), filter(isWanted), take(takenOf(items)));
    for await (const item of taken) tally.see(item);
  },
  merge: (items, tally) =>
    pipe(
      merge(partsOf(items, mergedSources).map(([from, to]) => range(from, to))),
      forEach((item) => tally.see(item)),
    ),
  "merge-generators": (items, tally) =>
    pipe(
      merge(partsOf(items, mergedSources).map(([from, to]) => numbersLater(from, to))),
      forEach((item) => tally.see(item)),
    ),
  batch: (items, tally) =>
    pipe(
      range(0, items),
      chunks(batchItems),
      forEach((some) => tally.seeAll(some)),
    ),
  concurrent: (items, tally) =>
    pipe(
      range(0, items),
      bufferedUnordered(callsAtOnce, identity),
      forEach((item) => tally.see(item)),
    ),
  "channel-1": (items, tally) => throughChannel(items, 1, tally, isPlain),
  "channel-8": (items, tally) => throughChannel(items, producers, tally, isPlain),
  broadcast: {
    note: "sending never waits: the sender lets the event loop have a turn after half a ring, and nobody lags",
    async run(items, tally) {
      const news = broadcast<number>({ capacity });
      const all = Array.from({ length: receivers }, () =>
        forEach(news.subscribe(), (item) => {
          if (item instanceof Lagged) throw new Error(`A receiver missed ${item.missed} items`);
          tally.see(item);
        }),
      );
      for (let item = 0; item < items; item += 1) {
        news.send(item);
        if (item % (capacity / 2) === 0) await yieldToEventLoop();
      }
      news.close();
      await Promise.all(all);
    },
  },
});

async function throughChannel(items: number, senders: number, tally: Tally, isPlain: boolean): Promise<void> {
  const { sender, receiver } = channel<number>({ capacity });
  for (const [from, to] of partsOf(items, senders)) void produce(sender.clone(), from, to, isPlain);
  sender.close();
  await forEach(receiver, (item) => tally.see(item));
}

async function produce(sender: Sender<number>, from: number, to: number, isPlain: boolean): Promise<void> {
  for (let item = from; item < to; item += 1) if (isPlain || !sender.trySend(item)) await sender.send(item);
  sender.close();
}

export const open = (config: StreamWorkConfig) => openStreamWork(waysIn(config.isPlain), config);
