/**
 * Builds the states of topics that were turned keyed, in small steps in the background. A step is one transaction,
 * which also stores the progress. So a node that dies loses only the step under way, and any node continues. Nodes that
 * build the same topic take turns by a row lock; a node that finds it locked skips the topic.
 *
 * The build walks from the newest record to the oldest. What the state already has, from an append or from an earlier
 * step, is newer than the record at hand, so nothing is overwritten. A trim meanwhile only brings the end nearer.
 */

import type { Limits } from "../../core/index.js";
import type { BuildChange } from "../../store/index.js";
import { repeat, Watch } from "../../streams/index.js";
import type { Clock, Logger } from "../../telemetry/index.js";
import { frameEnds, readStamp, keyChangesOf } from "../../wire/index.js";
import type { DatabaseLanes } from "../database-lanes.js";

/** How often topics that another node was working on are tried again. */
const lookAgainMs = 1000;
/** How often a node looks without a reason: another node may have died in a build. */
const roundMs = 10_000;
const topicsPerRound = 100;

export interface StateBuilderParts {
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface StateBuilder {
  /** A topic was turned keyed: the build begins now. */
  wake(): void;
  /** Runs until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

export function createStateBuilder({ lanes, limits, clock, logger }: StateBuilderParts): StateBuilder {
  const woken = new Watch(0);

  /** Returns whether other nodes still build topics. */
  async function round(signal: AbortSignal): Promise<boolean> {
    let isMore = false;
    for (const topicId of await lanes.run("history", (store) => store.findBuilds(topicsPerRound), signal)) {
      const outcome = await build(topicId, signal);
      if (outcome === "whole") logger.info({ topic_id: topicId }, "the state of a topic is whole");
      else isMore = true;
    }
    return isMore;
  }

  async function build(topicId: number, signal: AbortSignal): Promise<"whole" | "elsewhere"> {
    const step = { topicId, bytes: limits.pageBytesMax };
    for (;;) {
      signal.throwIfAborted();
      const outcome = await lanes.run("history", (store) => store.buildState(step, changesIn), signal);
      if (outcome !== "moved") return outcome;
    }
  }

  return {
    wake: () => woken.set(woken.value + 1),
    run(signal) {
      const onError = (error: unknown) => logger.warn({ err: error }, "building a state failed; trying again");
      return repeat(
        async () => ((await round(signal)) ? lookAgainMs : roundMs),
        { everyMs: roundMs, retryMs: lookAgainMs, woken, timers: clock, onError },
        signal,
      );
    },
  };
}

/** The changes that a run of records makes to a state, with the times in their stamps. */
function changesIn(frames: Uint8Array, records: number): BuildChange[] {
  const bytes = Buffer.from(frames.buffer, frames.byteOffset, frames.length);
  const ends = frameEnds(bytes, records);
  return keyChangesOf({ bytes, ends }).map((change) => ({
    ...change,
    timeMicros: readStamp(bytes, ends[change.index] as number).timeMicros,
  }));
}
