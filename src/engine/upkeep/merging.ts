/**
 * Merges the small blocks that small commits leave, in the background. A topic that this node appends to is merged when
 * it has many of them. A slow round finds all other topics, whose node may be gone. Several nodes may do this at once:
 * a node skips a topic that another one works on.
 */

import type { UnmergedRead, UnmergedRequest } from "../../store/index.js";
import { repeat, sleep, Watch } from "../../streams/index.js";
import type { Clock, Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";

/** After how many commits a topic is looked at, and how many small blocks are worth a step. */
const commitsMany = 256;
const blocksMany = 64;
/** What one step examines, and what it merges: some ten milliseconds of the database. */
const stepOf = { blocks: 1024, bytes: 1_048_576 } as const;
/**
 * A step is followed by a rest of this many times its duration, so that publishers keep at least nine tenths (invariant
 * 11).
 */
const restFactor = 9;
const roundMs = 30_000;
const topicsPerRead = 1000;
const retryMs = 1000;
/** Topics whose commits are counted. The one counted longest ago is removed first, and left to the round. */
const countedMax = 10_000;

export interface MergingParts {
  readonly lanes: DatabaseLanes;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Merging {
  /** This node committed to the topic. */
  appended(topicId: number): void;
  /** Runs until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

export function createMerging({ lanes, clock, logger }: MergingParts): Merging {
  const woken = new Watch(0);
  /** Commits since the topic was looked at, by topic. */
  const commits = new Map<number, number>();
  const due = new Set<number>();
  let roundDueMs = clock.monotonicMs() + roundMs;

  /** Merges everything that is due in a topic. */
  async function merge(topicId: number, signal: AbortSignal): Promise<void> {
    for (let kind = "merged"; kind === "merged" && !signal.aborted; ) {
      const startedMs = clock.monotonicMs();
      const outcome = await lanes.run("history", (store) => store.mergeBlocks({ topicId, ...stepOf }), signal);
      kind = outcome.kind;
      await sleep((clock.monotonicMs() - startedMs) * restFactor, clock, signal);
    }
  }

  async function round(signal: AbortSignal): Promise<void> {
    for (let after: number | undefined = 0; after !== undefined && !signal.aborted; ) {
      const request: UnmergedRequest = { after, count: topicsPerRead, blocks: blocksMany };
      const found: UnmergedRead = await lanes.run("history", (store) => store.findUnmerged(request), signal);
      for (const topicId of found.topicIds) await merge(topicId, signal);
      after = found.after;
    }
  }

  /** Returns how long it is until the next round, in milliseconds. */
  async function step(signal: AbortSignal): Promise<number> {
    for (const topicId of due) {
      due.delete(topicId);
      await merge(topicId, signal);
    }
    if (clock.monotonicMs() >= roundDueMs) {
      await round(signal);
      roundDueMs = clock.monotonicMs() + roundMs;
    }
    return Math.max(0, Math.ceil(roundDueMs - clock.monotonicMs()));
  }

  return {
    appended(topicId) {
      const count = (commits.get(topicId) ?? 0) + 1;
      commits.delete(topicId);
      if (count < commitsMany) {
        commits.set(topicId, count);
        for (const oldest of commits.keys()) {
          if (commits.size <= countedMax) break;
          commits.delete(oldest);
        }
        return;
      }
      due.add(topicId);
      woken.set(woken.value + 1);
    },
    run(signal) {
      const onError = (error: unknown) => logger.warn({ err: error }, "merging blocks failed; trying again");
      return repeat(step, { everyMs: roundMs, retryMs, woken, timers: clock, onError }, signal);
    },
  };
}
