/** Nodes on one store and one simulated clock, which may die, and their consumers as the transport drives them. */

import type { Limits, Window } from "../../src/core/index.js";
import type { ConsumeMessage, ConsumerRequest } from "../../src/engine/index.js";
import type { ListenSettledHandlers, Store } from "../../src/store/index.js";
import { channel, yieldToEventLoop } from "../../src/streams/index.js";
import { createLiveStreams } from "../../src/telemetry/index.js";
import { openTestEngine, type TestEngine } from "../support/open-engine.js";
import type { Random } from "../support/soak.js";
import { createSimulatedClock, type SimulatedClock } from "../support/simulated-clock.js";

/** By the simulated clock. */
export const leaseMs = 6000;
export const headPollMs = 2000;

/** A database that does one thing after the other, in the order in which it was asked, by a simulated clock of its own. */
export interface SimulatedDatabase {
  readonly store: Store;
  readonly clock: SimulatedClock;
  /** The store as one process has it. Calls of a process that has died are not begun, and none is answered. */
  forProcess(isAlive: () => boolean): Store;
  /** Statements so far. */
  readonly calls: number;
}

/** What keeps tables in shape, over all histories: nothing of it is a consumer's business. */
const upkeep = {
  vacuum: () => Promise.resolve([]),
  vacuumRecords: () => Promise.resolve(false),
  deleteOrphans: () => Promise.resolve(0),
  deleteIdleProducers: () => Promise.resolve(0),
  findOldTombstones: () => Promise.resolve([]),
  findBuilds: () => Promise.resolve([]),
  findExpiring: () => Promise.resolve([]),
  findOverdue: () => Promise.resolve({ topicIds: [], after: undefined }),
} satisfies Partial<Store>;

/** Real leases are so much longer: by the database's own clock none ends, but those of nodes that died. */
const leaseFactor = 10_000;

/**
 * How many turns of the event loop a database takes in one process is a matter of luck. An answer comes when what else was
 * begun has come to rest, so that it comes at the same moment each time.
 */
async function takeTurns(): Promise<void> {
  for (let turns = 0; turns < 4; turns++) await yieldToEventLoop();
}

export function simulateDatabase(store: Store): SimulatedDatabase {
  let working = 0;
  let calls = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const clock = createSimulatedClock({ isBusy: () => working > 0 });
  const startMicros = clock.wallMicros();
  /** The database's own clock, which nobody sets. */
  const nowMicros = (): number => startMicros + Math.round(clock.monotonicMs() * 1000);
  const listeners = new Set<{ readonly handlers: ListenSettledHandlers; readonly isListening: () => boolean }>();
  /** How many there were of each subscription. */
  const announcements = new Map<number, number>();
  /** When each record may be handed out again, by the simulated clock. */
  const retryTimes = new Map<string, number>();

  function inTurn<T>(isAlive: () => boolean, call: () => Promise<T>): Promise<T> {
    working += 1;
    return new Promise<T>((resolve, reject) => {
      turn = turn.then(async () => {
        try {
          if (!isAlive()) return;
          calls += 1;
          const answer = call();
          await answer.catch(() => undefined);
          await takeTurns();
          if (isAlive()) answer.then(resolve, reject);
        } finally {
          working -= 1;
        }
      });
    });
  }

  function forProcess(isAlive: () => boolean): Store {
    const own = Object.fromEntries(
      Object.entries(store).map(([name, value]: [string, unknown]) => [
        name,
        typeof value === "function"
          ? (...given: unknown[]) => inTurn(isAlive, () => (value as (...all: unknown[]) => Promise<unknown>)(...given))
          : value,
      ]),
    ) as unknown as Store;
    return {
      ...own,
      ...upkeep,
      now: () => Promise.resolve(nowMicros()),
      openSession: (session, node, ms) => own.openSession(session, node, ms * leaseFactor),
      renewSession: (session, ms) => own.renewSession(session, ms * leaseFactor),
      settle(write) {
        for (const { firstOffset, nextOffset, delayMs } of write.retries) {
          for (let offset = firstOffset; offset < nextOffset; offset++) {
            retryTimes.set(`${write.subscriptionId}:${offset}`, nowMicros() + delayMs * 1000);
          }
        }
        return own.settle(write);
      },
      announceSettled(notice) {
        const count = (announcements.get(notice.subscriptionId) ?? 0) + 1;
        announcements.set(notice.subscriptionId, count);
        // They may get lost.
        if (count % 4 === 0) return Promise.resolve();
        for (const { handlers, isListening } of listeners) if (isListening()) handlers.onNotice(notice);
        return Promise.resolve();
      },
      listenSettled(handlers, signal) {
        const listener = { handlers, isListening: () => isAlive() && !signal.aborted };
        listeners.add(listener);
        handlers.onGap();
        return new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            listeners.delete(listener);
            resolve();
          });
        });
      },
      async readRetries(subscriptionId, claimIds) {
        const retries = await own.readRetries(subscriptionId, claimIds);
        const delayOf = (offset: number, otherwise: number) => {
          const retryAtMicros = retryTimes.get(`${subscriptionId}:${offset}`);
          return retryAtMicros === undefined ? otherwise : Math.max(0, (retryAtMicros - nowMicros()) / 1000);
        };
        return retries.flatMap((retry) => {
          const parts: { ranges: { firstOffset: number; nextOffset: number }[]; delayMs: number }[] = [];
          for (const { firstOffset, nextOffset } of retry.ranges) {
            for (let offset = firstOffset; offset < nextOffset; offset++) {
              const delayMs = delayOf(offset, retry.delayMs);
              const last = parts.at(-1);
              const range = last?.ranges.at(-1);
              if (last?.delayMs !== delayMs) {
                parts.push({ ranges: [{ firstOffset: offset, nextOffset: offset + 1 }], delayMs });
              } else if (range?.nextOffset === offset) range.nextOffset += 1;
              else last.ranges.push({ firstOffset: offset, nextOffset: offset + 1 });
            }
          }
          return parts.map((part) => ({ ...retry, ...part }));
        });
      },
    };
  }
  return {
    store,
    clock,
    forProcess,
    get calls() {
      return calls;
    },
  };
}

export interface FuzzNode {
  readonly name: string;
  readonly node: TestEngine;
  readonly isAlive: boolean;
  /** The process ends here and now. Its session goes at once: as if its lease had run out meanwhile. */
  kill(sessions: Iterable<number>): Promise<void>;
  close(): Promise<void>;
}

export interface FuzzNodeOptions {
  readonly name: string;
  /** In [0, 1): says whose session comes first. */
  readonly random: Random;
  readonly limits: Partial<Limits>;
}

/** No two sessions have the same name, and how they compare is the history's alone. */
let sessions = 0;

export async function openFuzzNode(
  database: SimulatedDatabase,
  { name, random, limits }: FuzzNodeOptions,
): Promise<FuzzNode> {
  let isAlive = true;
  const clock = database.clock.forProcess();
  const node = await openTestEngine(
    database.forProcess(() => isAlive),
    {
      clock,
      newSession: () => Math.floor(random() * 2 ** 24) * 2 ** 28 + ++sessions,
      headPollMs,
      sessionLeaseMs: leaseMs,
      heartbeatMinMs: 3_600_000,
      heartbeatMaxMs: 3_600_000,
      ...limits,
    },
  );
  return {
    name,
    node,
    get isAlive() {
      return isAlive;
    },
    async kill(sessions) {
      isAlive = false;
      clock.kill();
      await database.clock.settle();
      for (const session of sessions) await database.store.renewSession(session, -1000);
    },
    async close() {
      let isClosed = false;
      const closed = node.engine.close().finally(() => (isClosed = true));
      while (!isClosed) await database.clock.advance(50);
      await closed;
      isAlive = false;
      clock.kill();
    },
  };
}

/** What a consumer's call does, as its transport and its client see it. */
export interface CallEvents {
  /** The engine made a message: it is with the transport. */
  handed(message: ConsumeMessage): void;
  /** The transport took it: the client has it. */
  taken(message: ConsumeMessage): void;
  ended(error: unknown): void;
}

export interface FuzzCall {
  say(request: ConsumerRequest): void;
  /** While it is stalled, the transport takes no message. */
  stall(): void;
  unstall(): void;
  halfClose(): void;
  cancel(): void;
}

const streams = createLiveStreams();

export function openCall(
  { node }: FuzzNode,
  opening: { readonly subscription: string; readonly consumer: string; readonly window: Window },
  events: CallEvents,
): FuzzCall {
  const requests = channel<ConsumerRequest>({ capacity: 1000 });
  const abort = new AbortController();
  const iterator: AsyncIterator<ConsumerRequest, undefined> = {
    next: () => requests.receiver.receive(abort.signal) as Promise<IteratorResult<ConsumerRequest, undefined>>,
    return: () => {
      requests.sender.close();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  const messages = node.engine.consume(
    { kind: "subscription", ...opening },
    iterator,
    streams.open(opening.consumer, "consume"),
    abort.signal,
  );
  let stalled: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  async function pump(): Promise<void> {
    for (;;) {
      const { done, value } = await messages.next();
      if (done) return;
      events.handed(value);
      while (stalled !== undefined) await stalled.over;
      if (abort.signal.aborted) return;
      events.taken(value);
    }
  }
  const unstall = (): void => {
    const { end } = stalled ?? { end: () => undefined };
    stalled = undefined;
    end();
  };
  pump().then(
    () => events.ended(undefined),
    (error: unknown) => events.ended(error),
  );
  return {
    say: (request) => void requests.sender.trySend(request),
    stall() {
      if (stalled !== undefined) return;
      let end = (): void => {};
      const over = new Promise<void>((resolve) => (end = resolve));
      stalled = { over, end };
    },
    unstall,
    halfClose: () => requests.sender.close(),
    cancel() {
      abort.abort(new Error("cancelled"));
      unstall();
      void messages.return().catch(() => undefined);
    },
  };
}
