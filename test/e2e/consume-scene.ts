/** A subscription with workers, to which records are published, and whose history is checked meanwhile. */

import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Sharing } from "../../src/core/index.js";
import {
  ConsumeResponse_Heartbeat_Waiting,
  Subscription_Sharing,
} from "../../src/gen/millrace/v1/subscription_service.js";
import { createClient, type RecordInput } from "../../src/index.js";
import { type Random, seededRandom, wholeNumberBetween } from "../support/soak.js";
import { openConsumeCall } from "./consume-call.js";
import { ConsumeHistory } from "./consume-checker.js";
import { type ConsumeWorker, type Habits, startWorker } from "./consume-worker.js";
import { quickBackoff } from "./publish-through.js";
import { SubscriptionControl } from "./subscription-control.js";

export const sharingOf: Record<Sharing, Subscription_Sharing> = {
  shared: Subscription_Sharing.SHARED,
  exclusive: Subscription_Sharing.EXCLUSIVE,
  keyed: Subscription_Sharing.KEYED,
};

/** If nothing happens for this time, it is stuck. Longer than any deadline, lease or delay here. */
const patienceMs = 25_000;

export interface SceneOptions {
  readonly sharing: Sharing;
  readonly records: number;
  /** Determines all random numbers. */
  readonly seed: number;
  readonly consumers: number;
  readonly habits: Habits;
  /** The address at which a consumer opens its call. */
  readonly addressOf: (consumer: number) => string;
  /** A node that stays or returns, for publishing and questions. */
  readonly address: string;
  readonly isOneNode: boolean;
  /** Default: bare calls. */
  readonly start?: typeof startWorker;
  readonly isOverClient?: boolean;
}

export interface Scene {
  readonly history: ConsumeHistory;
  readonly workers: readonly ConsumeWorker[];
  readonly random: Random;
  /** Resolves when this number of records is acknowledged. Rejects when a promise is broken, or nothing progresses. */
  reaches(acknowledged: number): Promise<void>;
  /** Lets time pass; rejects as above. */
  passes(ms: number): Promise<void>;
  /** Resolves when all that a dead server had sent has been read: later records need not continue from there. */
  lastWordsOf(what: string): Promise<void>;
  /** Records that something was done to the servers. */
  disrupted(what: string): void;
  /** Their node is stopped, or had time to notice that it was. */
  frozen(kind: "frozen" | "recovered", calls: readonly string[]): void;
  /** Resolves when all is settled and confirmed, and the workers have left. */
  ends(): Promise<void>;
  /** Call it in any case. */
  close(): void;
}

const topic = "consumed/by-many";
const subscription = "workers/of-many";
const ackDeadlineMs = 2000;

/** Creates topic and subscription, and begins to publish and to consume. */
export async function openScene(options: SceneOptions): Promise<Scene> {
  const {
    sharing,
    records,
    seed,
    consumers,
    habits,
    addressOf,
    address,
    isOneNode,
    start = startWorker,
    isOverClient = false,
  } = options;
  const random = seededRandom(seed);
  const keyCount = Math.ceil(records / 20);
  const keys = Array.from({ length: records }, () =>
    random() < 0.05 ? "" : `key-${wholeNumberBetween(random, 1, keyCount)}`,
  );
  const history = new ConsumeHistory({ sharing, keys, holdMs: ackDeadlineMs / 2, isOneNode, isOverClient });
  const millrace = createClient({ address });
  const control = new SubscriptionControl(address);
  const failure = new AbortController();
  // Timers run before sockets are read: what is read now arrived after the last of these.
  let readUntilMs = performance.now();
  const clock = setInterval(() => (readUntilMs = performance.now()), 20);
  const fail = (error: unknown) => failure.abort(error);
  const isStuck = async () => {
    const {
      cursor,
      retryRecords,
      parkedRecords,
      outstandingRecords,
      consumers: seen,
    } = await control.describe(subscription);
    const facts = { cursor, retryRecords, parkedRecords, outstandingRecords, consumers: seen, ...history.counts };
    return new Error(`Nothing progresses: ${JSON.stringify(facts)}\n${history.unsettled(3).join("\n")}`);
  };
  /** Polls while there is progress. */
  const until = async (condition: () => boolean | Promise<boolean>) => {
    let seen = -1;
    let sinceMs = performance.now();
    while (!(await condition())) {
      failure.signal.throwIfAborted();
      const nowMs = performance.now();
      if (history.counts.handed + history.counts.confirmed !== seen) sinceMs = nowMs;
      seen = history.counts.handed + history.counts.confirmed;
      if (nowMs - sinceMs > patienceMs) throw await isStuck();
      await delay(20);
    }
    failure.signal.throwIfAborted();
  };

  await millrace.topics.create(topic);
  const publisher = millrace.publisher(topic, { backoff: quickBackoff });
  const half = Math.floor(records / 2);
  await publisher.publishAll(recordsOf(keys, 0, half));
  await control.create({
    subscription,
    topic,
    sharing: sharingOf[sharing],
    ackDeadline: { seconds: ackDeadlineMs / 1000, nanos: 0 },
    attemptsMax: 1000,
    retryMin: { seconds: 0, nanos: 10_000_000 },
    retryMax: { seconds: 0, nanos: 100_000_000 },
  });
  // The rest is published while they work.
  const publishing = (async () => {
    for (let from = half; from < records; from += 100) {
      await until(() => history.acknowledged > from - half);
      await publisher.publishAll(recordsOf(keys, from, Math.min(from + 100, records)));
    }
    await publisher.close();
  })();
  publishing.catch(fail);
  const workers = Array.from({ length: consumers }, (_, index) =>
    start({
      name: `${"abcdefgh"[index]}`,
      address: () => addressOf(index),
      subscription,
      history,
      // Each has its own, so the order in which they use it does not matter.
      random: seededRandom(seed + index + 1),
      habits,
      readUntilMs: () => readUntilMs,
      onFailure: fail,
    }),
  );
  return {
    history,
    workers,
    random,
    reaches: (acknowledged) => until(() => history.acknowledged >= acknowledged),
    async passes(ms) {
      await delay(ms);
      failure.signal.throwIfAborted();
    },
    async lastWordsOf(what) {
      // Its sockets end after the data they have, which is read in whole rounds of the event loop.
      await delay(50);
      failure.signal.throwIfAborted();
      history.take({ kind: "disrupted", what: `${what} gone` }, performance.now());
    },
    disrupted: (what) => history.take({ kind: "disrupted", what }, performance.now()),
    frozen: (kind, calls) => history.take({ kind, calls }, performance.now()),
    async ends() {
      await publishing;
      await until(() => history.acknowledged === records);
      await until(async () => {
        const { cursor, lagRecords, retryRecords, parkedRecords } = await control.describe(subscription);
        expect(parkedRecords).toBe(0);
        return cursor?.offset === records && lagRecords === 0 && retryRecords === 0;
      });
      await until(() => history.supersededCalls.length === 0);
      const left = Promise.all(workers.map((worker) => worker.stop()));
      left.catch(fail);
      let haveLeft = false;
      void left.then(() => (haveLeft = true));
      await until(() => haveLeft);
      history.end();
      await expectNothingLeft(address, records);
    },
    close() {
      clearInterval(clock);
      failure.abort(new Error("The scene is closed"));
      for (const worker of workers) worker.abandon();
      control.close();
      millrace.close();
    },
  };
}

/** The text is the offset; sizes vary. */
function recordsOf(keys: readonly string[], from: number, until: number): RecordInput[] {
  return keys.slice(from, until).map((key, index) => ({
    key,
    text: `${from + index}`,
    attributes: { padding: "·".repeat((from + index) % 61) },
  }));
}

/** Another consumer must learn at once that nothing is left for it. */
async function expectNothingLeft(address: string, records: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const call = openConsumeCall({
      address,
      opening: { subscription, consumer: "late" },
      onMessage({ records: handed, event }) {
        if (handed.length > 0) reject(new Error(`Record ${handed[0]?.offset} came after all were settled`));
        if (event?.$case === "started" && event.value.cursor?.offset !== records) {
          reject(new Error(`The cursor stands at ${event.value.cursor?.offset}, not ${records}`));
        }
        if (event?.$case === "heartbeat" && event.value.waiting === ConsumeResponse_Heartbeat_Waiting.CAUGHT_UP) {
          call.finish();
        }
      },
    });
    void call.ended.then(({ code, text }) => (code === "OK" ? resolve() : reject(new Error(`${code}: ${text}`))));
  });
}
