/** A consumer that a test drives by hand: it sends requests, and takes one message at a time. */

import type {
  Confirmed,
  ConsumeMessage,
  ConsumeOpening,
  ConsumerRequest,
  DeliveredRange,
  Engine,
} from "../../../src/engine/index.js";
import { MillraceError, type OffsetRange } from "../../../src/core/index.js";
import { channel } from "../../../src/streams/index.js";
import { createLiveStreams } from "../../../src/telemetry/index.js";
import { offsetsIn, range } from "../../support/open-engine.js";

export interface Delivered {
  readonly offset: number;
  readonly attempt: number;
}

/** A verdict of a test. An omitted attempt is 0: any. */
type Said<Verdict extends DeliveredRange = DeliveredRange> = Omit<Verdict, "attempt"> & { readonly attempt?: number };

export interface Saying {
  readonly window?: ConsumerRequest["window"];
  readonly acknowledge?: readonly (OffsetRange | Said)[];
  readonly acknowledgeThrough?: number;
  readonly reject?: readonly Said<ConsumerRequest["reject"][number]>[];
  readonly extend?: readonly Said<ConsumerRequest["extend"][number]>[];
  readonly park?: readonly Said<ConsumerRequest["park"][number]>[];
  readonly release?: readonly (OffsetRange | Said)[];
}

export interface TestConsumer {
  /** The next message. Throws the error that ended the call. */
  next(): Promise<ConsumeMessage>;
  /** Takes messages until they have `count` records in all. */
  take(count: number): Promise<Delivered[]>;
  /** Takes messages until `find` returns something for one. */
  until<T>(find: (message: ConsumeMessage) => T | undefined): Promise<T>;
  /**
   * Takes messages until `count` offsets were confirmed with a verdict. Returns those that were not returned before.
   */
  told(verdict: keyof Confirmed, count: number): Promise<number[]>;
  say(request: Saying): void;
  /** How many requests the call has not read. */
  readonly unheard: number;
  acknowledge(...offsets: readonly number[]): void;
  /** All records that it received. */
  readonly delivered: readonly Delivered[];
  /** Ends the requests. Returns the remaining messages. */
  halfClose(): Promise<ConsumeMessage[]>;
  /** Its node begins to drain: its requests are still read. */
  drain(): void;
  /** Leaves like a lost consumer. */
  lose(): Promise<void>;
}

const streams = createLiveStreams();

export function openConsumer(engine: Engine, opening: ConsumeOpening): TestConsumer {
  const requests = channel<ConsumerRequest>({ capacity: 1000 });
  const abort = new AbortController();
  /** Aborts when the client is gone, but not when the node drains. */
  const gone = new AbortController();
  let unheard = 0;
  const iterator: AsyncIterator<ConsumerRequest, undefined> = {
    async next() {
      const request = await requests.receiver.receive(gone.signal);
      if (!request.done) unheard -= 1;
      return request as IteratorResult<ConsumerRequest, undefined>;
    },
    return: () => {
      requests.sender.close();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  const messages = engine.consume(opening, iterator, streams.open("test:1", "consume"), abort.signal);
  const received: Delivered[] = [];
  const confirmed = new Map<string, number[]>();
  const next = async (): Promise<ConsumeMessage> => {
    const { done, value } = await messages.next();
    if (done) throw new Error("The call has ended");
    for (const offset of offsetsIn(value.runs)) received.push({ offset, attempt: value.attempt });
    for (const [verdict, ranges] of Object.entries(value.confirmed ?? {})) {
      const offsets = confirmed.get(verdict) ?? [];
      confirmed.set(verdict, [...offsets, ...(ranges as readonly (OffsetRange | DeliveredRange)[]).flatMap(offsetsOf)]);
    }
    return value;
  };
  const say = (saying: Saying): void => {
    const { window, acknowledge = [], acknowledgeThrough, reject = [], extend = [], park = [], release = [] } = saying;
    unheard += 1;
    requests.sender.trySend({
      window,
      acknowledge: acknowledge.map(delivered),
      acknowledgeThrough,
      reject: reject.map((each) => ({ attempt: 0, ...each })),
      extend: extend.map((each) => ({ attempt: 0, ...each })),
      park: park.map((each) => ({ attempt: 0, ...each })),
      release: release.map(delivered),
    });
  };
  const until = async <T>(find: (message: ConsumeMessage) => T | undefined): Promise<T> => {
    for (;;) {
      const found = find(await next());
      if (found !== undefined) return found;
    }
  };
  return {
    delivered: received,
    next,
    say,
    get unheard() {
      return unheard;
    },
    until,
    async take(count) {
      const from = received.length;
      while (received.length < from + count) await next();
      return received.slice(from);
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
    drain() {
      abort.abort(new MillraceError("draining", "The node is shutting down"));
    },
    async lose() {
      gone.abort(new Error("lost"));
      abort.abort(new Error("lost"));
      await messages.return();
    },
  };
}

function delivered(said: OffsetRange | Said): DeliveredRange {
  return "range" in said ? { attempt: 0, ...said } : { range: said, attempt: 0 };
}

/** A client's range may be very long: it is cut here. */
function offsetsOf(told: OffsetRange | DeliveredRange): number[] {
  const { firstOffset, nextOffset } = "range" in told ? told.range : told;
  return range(firstOffset, Math.min(nextOffset, firstOffset + 10_000));
}
