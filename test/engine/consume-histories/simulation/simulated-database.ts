/** A database that runs calls one after the other, in their order, on a simulated clock of its own. */

import type { ListenSettledHandlers, Store } from "../../../../src/store/index.js";
import { yieldToEventLoop } from "../../../../src/streams/index.js";
import { createTestDatabase, type TestDatabase } from "../../../support/database.js";
import { createSimulatedClock, type SimulatedClock } from "../../../support/simulated-clock.js";

export interface SimulatedDatabase {
  readonly store: Store;
  readonly clock: SimulatedClock;
  /** The store of one process. After the process has died, calls are not started, and none is answered. */
  forProcess(isAlive: () => boolean): Store;
  /** The number of statements so far. */
  readonly calls: number;
}

/** Keeps tables small over all histories; consumers do not notice. */
const upkeep = {
  reclaimSpace: () => Promise.resolve([]),
  reclaimBlocks: () => Promise.resolve(false),
  deleteOrphans: () => Promise.resolve(0),
  deleteIdleProducers: () => Promise.resolve(0),
  findOldTombstones: () => Promise.resolve([]),
  findBuilds: () => Promise.resolve([]),
  findExpiring: () => Promise.resolve([]),
  findOverdue: () => Promise.resolve({ topicIds: [], after: undefined }),
} satisfies Partial<Store>;

/** Real leases are longer by this factor: by the database's real clock only sessions of dead nodes end. */
const leaseFactor = 10_000;

/**
 * The number of event-loop turns that a database takes is random. An answer is delivered when all other work has
 * settled, so that it arrives at the same moment in each run.
 */
async function takeTurns(): Promise<void> {
  for (let turns = 0; turns < 4; turns++) await yieldToEventLoop();
}

function simulateDatabase(store: Store): SimulatedDatabase {
  let working = 0;
  let calls = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const clock = createSimulatedClock({ isBusy: () => working > 0 });
  const startMicros = clock.wallMicros();
  /** The database's own clock, which nobody sets. */
  const nowMicros = (): number => startMicros + Math.round(clock.monotonicMs() * 1000);
  const listeners = new Set<{ readonly handlers: ListenSettledHandlers; readonly isListening: () => boolean }>();
  /** The number of announcements for each subscription. */
  const announcements = new Map<number, number>();
  /** When each record is due for redelivery, by the simulated clock. */
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
      openSession: (session) => own.openSession({ ...session, leaseMs: session.leaseMs * leaseFactor }),
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
        // Announcements may get lost.
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

/** A new database, closed after its use. */
export async function onSimulatedDatabase<T>(use: (database: SimulatedDatabase) => Promise<T>): Promise<T> {
  let database: TestDatabase | undefined;
  try {
    database = await createTestDatabase("embedded");
    return await use(simulateDatabase(await database.openStore()));
  } finally {
    await database?.drop();
  }
}
