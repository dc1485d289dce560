/** A consumer that a test drives by hand: it says things, and asks for one message after the other. */

import type { Confirmed, ConsumeMessage, ConsumeOpening, ConsumerRequest, Engine } from "../../src/engine/index.js";
import type { OffsetRange } from "../../src/core/index.js";
import { channel } from "../../src/streams/index.js";
import { createLiveStreams } from "../../src/telemetry/index.js";
import { offsetsIn, range } from "../support/open-engine.js";

export interface Delivered {
  readonly offset: number;
  readonly attempt: number;
}

export interface TestConsumer {
  /** The next message. Throws how the call ended. */
  next(): Promise<ConsumeMessage>;
  /** Messages up to and with the one that brings the records to so many. */
  take(count: number): Promise<Delivered[]>;
  /** Messages up to and with the first that something is in. */
  until<T>(find: (message: ConsumeMessage) => T | undefined): Promise<T>;
  /** The next so many offsets that have this verdict, told before or now. */
  told(verdict: keyof Confirmed, count: number): Promise<number[]>;
  say(request: Partial<ConsumerRequest>): void;
  acknowledge(...offsets: readonly number[]): void;
  /** All records so far. */
  readonly delivered: readonly Delivered[];
  /** No more messages from this side; gives what is left to be told. */
  halfClose(): Promise<ConsumeMessage[]>;
  /** Goes as one that is lost. */
  lose(): Promise<void>;
}

const streams = createLiveStreams();

export function openConsumer(engine: Engine, opening: ConsumeOpening): TestConsumer {
  const requests = channel<ConsumerRequest>({ capacity: 1000 });
  const abort = new AbortController();
  const iterator: AsyncIterator<ConsumerRequest, undefined> = {
    next: () => requests.receiver.receive(abort.signal) as Promise<IteratorResult<ConsumerRequest, undefined>>,
    return: () => {
      requests.sender.close();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  const messages = engine.consume(opening, iterator, streams.open("test:1", "consume"), abort.signal);
  const delivered: Delivered[] = [];
  const confirmed = new Map<string, number[]>();
  const next = async (): Promise<ConsumeMessage> => {
    const { done, value } = await messages.next();
    if (done) throw new Error("The call has ended");
    for (const run of value.runs) {
      for (const offset of offsetsIn(run)) delivered.push({ offset, attempt: value.attempt });
    }
    for (const [verdict, ranges] of Object.entries(value.confirmed ?? {})) {
      const offsets = confirmed.get(verdict) ?? [];
      confirmed.set(verdict, [...offsets, ...(ranges as readonly OffsetRange[]).flatMap(offsetsOf)]);
    }
    return value;
  };
  const say = (request: Partial<ConsumerRequest>): void => {
    const silent = { window: undefined, acknowledge: [], acknowledgeThrough: undefined };
    requests.sender.trySend({ ...silent, reject: [], extend: [], park: [], release: [], ...request });
  };
  const until = async <T>(find: (message: ConsumeMessage) => T | undefined): Promise<T> => {
    for (;;) {
      const found = find(await next());
      if (found !== undefined) return found;
    }
  };
  return {
    delivered,
    next,
    say,
    until,
    async take(count) {
      const from = delivered.length;
      while (delivered.length < from + count) await next();
      return delivered.slice(from);
    },
    async told(verdict, count) {
      for (;;) {
        const offsets = confirmed.get(verdict) ?? [];
        if (offsets.length >= count) return offsets.splice(0);
        await next();
      }
    },
    acknowledge(...offsets) {
      say({ acknowledge: offsets.map((offset) => ({ firstOffset: offset, nextOffset: offset + 1 })) });
    },
    async halfClose() {
      requests.sender.close();
      const left: ConsumeMessage[] = [];
      for await (const message of messages) left.push(message);
      return left;
    },
    async lose() {
      abort.abort(new Error("lost"));
      await messages.return();
    },
  };
}

/** What a client made up is as long as it likes. */
const offsetsOf = ({ firstOffset, nextOffset }: OffsetRange): number[] =>
  range(firstOffset, Math.min(nextOffset, firstOffset + 10_000));
