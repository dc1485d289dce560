import { type Cause, Effect, PubSub, Queue, Stream } from "effect";
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

/** Its cheapest sink: whole chunks, instead of an effect for each item. */
const seeAll = (tally: Tally) =>
  Stream.runForEachArray((items: readonly number[]) => Effect.sync(() => tally.seeAll(items)));

const fromGenerator = (from: number, to: number) =>
  Stream.fromAsyncIterable(numbersLater(from, to), (error) => error as Error);

const mergeOptions = { concurrency: "unbounded" } as const;

const waysIn = (isPlain: boolean, chunkItems = isPlain ? 1 : undefined): Ways => ({
  pipeline: (items, tally) =>
    Stream.range(0, items - 1, chunkItems).pipe(
      Stream.map(triple),
      Stream.filter(isWanted),
      Stream.take(takenOf(items)),
      seeAll(tally),
      Effect.runPromise,
    ),
  async generator(items, tally) {
    const taken = fromGenerator(0, items).pipe(
      Stream.map(triple),
      Stream.filter(isWanted),
      Stream.take(takenOf(items)),
      Stream.toAsyncIterable,
    );
    for await (const item of taken) tally.see(item);
  },
  merge: (items, tally) =>
    Stream.mergeAll(
      partsOf(items, mergedSources).map(([from, to]) => Stream.range(from, to - 1, chunkItems)),
      mergeOptions,
    ).pipe(seeAll(tally), Effect.runPromise),
  "merge-generators": (items, tally) =>
    Stream.mergeAll(
      partsOf(items, mergedSources).map(([from, to]) => fromGenerator(from, to)),
      mergeOptions,
    ).pipe(seeAll(tally), Effect.runPromise),
  batch: (items, tally) =>
    Stream.range(0, items - 1, chunkItems).pipe(
      Stream.grouped(batchItems),
      Stream.runForEachArray((groups) =>
        Effect.sync(() => {
          for (const group of groups) tally.seeAll(group);
        }),
      ),
      Effect.runPromise,
    ),
  concurrent: (items, tally) =>
    Stream.range(0, items - 1, chunkItems).pipe(
      Stream.mapEffect((item) => Effect.promise(() => identity(item)), { concurrency: callsAtOnce, unordered: true }),
      seeAll(tally),
      Effect.runPromise,
    ),
  "channel-1": (items, tally) => throughQueue(items, 1, tally, isPlain),
  "channel-8": (items, tally) => throughQueue(items, producers, tally, isPlain),
  broadcast: {
    note: "PubSub.bounded, a whole ring published and taken at a time: the slowest sets the pace",
    run: (items, tally) =>
      Effect.gen(function* () {
        const hub = yield* PubSub.bounded<number>(capacity);
        const subscriptions = yield* Effect.all(Array.from({ length: receivers }, () => PubSub.subscribe(hub)));
        const publishAll = Effect.gen(function* () {
          for (let from = 0; from < items; from += capacity) {
            yield* PubSub.publishAll(hub, numbers(from, Math.min(items, from + capacity)));
          }
        });
        const receive = (subscription: PubSub.Subscription<number>) =>
          Effect.gen(function* () {
            for (let left = items; left > 0; ) {
              const taken = yield* PubSub.takeAll(subscription);
              tally.seeAll(taken);
              left -= taken.length;
            }
          });
        yield* Effect.all([publishAll, ...subscriptions.map(receive)], { concurrency: "unbounded" });
      }).pipe(Effect.scoped, Effect.runPromise),
  },
});

function throughQueue(items: number, senders: number, tally: Tally, isPlain: boolean): Promise<unknown> {
  return Effect.gen(function* () {
    const queue = yield* Queue.bounded<number, Cause.Done>(capacity);
    const send = ([from, to]: readonly [number, number]) =>
      Effect.gen(function* () {
        for (let item = from; item < to; item += 1) {
          if (isPlain || !Queue.offerUnsafe(queue, item)) yield* Queue.offer(queue, item);
        }
      });
    const sendAll = Effect.all(partsOf(items, senders).map(send), { concurrency: "unbounded" }).pipe(
      Effect.andThen(Queue.end(queue)),
    );
    yield* Effect.all([sendAll, Stream.fromQueue(queue).pipe(seeAll(tally))], { concurrency: "unbounded" });
  }).pipe(Effect.runPromise);
}

export const open = (config: StreamWorkConfig) => openStreamWork(waysIn(config.isPlain), config);
