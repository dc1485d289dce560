/**
 * Builds the states of topics that were turned keyed, in small steps behind everybody else. A step is one transaction in
 * the database, which also keeps how far it is: so a node that dies loses nothing but the step under way, and any node
 * goes on. Nodes that are at one topic at once take turns by the lock of its row; whoever finds it taken leaves it.
 *
 * It walks from the newest record to the oldest. What is in the state already, from an append or from a step before, is
 * newer than what comes, so nothing is overwritten; and a trim meanwhile only brings the end nearer.
 */

import type { Limits } from "../core/index.js";
import type { BuildChange } from "../store/index.js";
import { Watch } from "../streams/index.js";
import type { Clock, Logger } from "../telemetry/index.js";
import { frameEnds, readStamp, stateOf } from "../wire/index.js";
import type { DatabaseLanes } from "./database-lanes.js";

/** How often topics that another node was at are looked at again. */
const lookAgainMs = 1000;
/** How often a node looks that was told of nothing: another one may have died in a build. */
const roundMs = 10_000;
const topicsPerRound = 100;

export interface StateBuilderParts {
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface StateBuilder {
  /** A topic was turned keyed: begin now. */
  wake(): void;
  /** Runs until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

export function createStateBuilder({ lanes, limits, clock, logger }: StateBuilderParts): StateBuilder {
  const woken = new Watch(0);

  /** Gives what is left to do: whether topics are being built elsewhere. */
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
    async run(signal) {
      while (!signal.aborted) {
        const version = woken.version;
        let timeoutMs = roundMs;
        try {
          if (await round(signal)) timeoutMs = lookAgainMs;
        } catch (error) {
          timeoutMs = lookAgainMs;
          if (!signal.aborted) logger.warn({ err: error }, "building a state failed; trying again");
        }
        await woken.changed(version, { signal, timeoutMs, timers: clock }).catch(() => undefined);
      }
    },
  };
}

/** What a run of records does to a state, with the times that stand in their stamps. */
function changesIn(frames: Uint8Array, records: number): BuildChange[] {
  const bytes = Buffer.from(frames.buffer, frames.byteOffset, frames.length);
  const ends = frameEnds(bytes, records);
  return stateOf({ bytes, ends }).map((change) => ({
    ...change,
    timeMicros: readStamp(bytes, ends[change.index] as number).timeMicros,
  }));
}
