/** An engine on a real store, and the few verbs that tests say over and over. */

import { type Appended, defaultLimits, type Limits } from "../../src/core/index.js";
import {
  createEngine,
  type Engine,
  type FollowCommand,
  type FollowMessage,
  type ReadCommand,
} from "../../src/engine/index.js";
import type { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { ReadResponse } from "../../src/gen/millrace/v1/record_service.js";
import type { Store } from "../../src/store/index.js";
import {
  type Clock,
  createLiveStreams,
  createMetrics,
  type LiveStream,
  type Metrics,
  silentLogger,
  systemClock,
} from "../../src/telemetry/index.js";
import { joinRuns } from "../../src/wire/index.js";
import { batchOf } from "./frames.js";

export interface TestEngine {
  readonly engine: Engine;
  readonly metrics: Metrics;
  append(topic: string, sizes: readonly number[], more?: AppendMore): Promise<Appended>;
  /** What a read gives, to its end. */
  read(topic: string, more?: Partial<ReadCommand>): Promise<ReadResult>;
  /** A follower that the test drives by hand. */
  follow(topic: string, more?: Partial<FollowCommand>): TestFollower;
}

export interface AppendMore {
  readonly expectedOffset?: number;
  readonly producer?: { readonly id: string; readonly generation: number; readonly sequence: number };
  readonly epoch?: number;
  readonly peer?: string;
  readonly signal?: AbortSignal;
}

export interface ReadResult {
  readonly offsets: number[];
  readonly kinds: string[];
  /** The end that each message tells. */
  readonly ends: (number | undefined)[];
  /** Where the last message says to resume. */
  readonly next: number;
}

export interface TestFollower {
  readonly stream: LiveStream;
  /** The next message. */
  next(): Promise<FollowMessage>;
  /** Messages up to and with the first of this kind. */
  until(kind: FollowMessage["kind"]): Promise<FollowMessage[]>;
  /** Leaves, as a client does that cancels. */
  cancel(): Promise<void>;
}

export async function openTestEngine(
  store: Store,
  overrides: Partial<Limits> & {
    readonly autoCreate?: boolean;
    readonly clock?: Clock;
    readonly newSession?: () => number;
  } = {},
): Promise<TestEngine> {
  const { autoCreate = true, clock = systemClock, newSession, ...limits } = overrides;
  const metrics = createMetrics();
  const streams = createLiveStreams();
  const engine = await createEngine({
    store,
    limits: { ...defaultLimits, ...limits },
    autoCreate,
    clock,
    logger: silentLogger,
    metrics,
    ...(newSession && { newSession }),
  });
  return {
    engine,
    metrics,
    append: (topic, sizes, { signal, ...more } = {}) =>
      engine.append(
        { topic, batch: batchOf(sizes), expectedOffset: undefined, producer: undefined, epoch: 0, ...more },
        signal,
      ),
    async read(topic, more = {}) {
      const command: ReadCommand = {
        topic,
        start: undefined,
        direction: "forward",
        until: { at: "end" },
        limit: 0,
        whenTrimmed: "fail",
        filter: undefined,
        ...more,
      };
      const result = {
        offsets: [] as number[],
        kinds: [] as string[],
        ends: [] as (number | undefined)[],
        next: -1,
      };
      for await (const message of engine.read(command, streams.open("test", "read"), new AbortController().signal)) {
        result.kinds.push(message.kind);
        result.ends.push(message.endOffset);
        result.next = message.next.offset;
        if (message.kind === "page") result.offsets.push(...offsetsIn(message.runs));
      }
      return result;
    },
    follow(topic, more = {}) {
      const stream = streams.open("test", "follow");
      const abort = new AbortController();
      const command: FollowCommand = {
        topic,
        start: { at: "earliest" },
        whenBehind: "catch-up",
        whenTrimmed: "fail",
        filter: undefined,
        ...more,
      };
      const messages = engine.follow(command, stream, abort.signal);
      const next = async () => {
        const { done, value } = await messages.next();
        if (done) throw new Error("The follow has ended");
        return value;
      };
      return {
        stream,
        next,
        async until(kind) {
          const seen: FollowMessage[] = [];
          for (;;) {
            const message = await next();
            seen.push(message);
            if (message.kind === kind) return seen;
          }
        },
        async cancel() {
          abort.abort(new Error("cancelled"));
          await messages.return();
        },
      };
    },
  };
}

/** The records of frames, as the generated code decodes the response that is made of them. */
export function recordsIn(runs: readonly Uint8Array[]): RecordMessage[] {
  return ReadResponse.decode(joinRuns(runs)).records;
}

export function offsetsIn(runs: readonly Uint8Array[]): number[] {
  return recordsIn(runs).map((record) => record.offset ?? Number.NaN);
}

/** The offsets of all pages among these messages. */
export function offsetsOf(messages: readonly FollowMessage[]): number[] {
  return messages.flatMap((message) => (message.kind === "page" ? offsetsIn(message.runs) : []));
}

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);
