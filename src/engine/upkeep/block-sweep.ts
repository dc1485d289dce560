/** Deletes the blocks below trims, a run for each statement, and has the store reclaim their space. */

import type { Clock, Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";

/** Blocks that one statement deletes: a few milliseconds. Half as many take nearly as long. */
const blocksPerStep = 1000;
/** Fewer deletable records wait for more, but not longer than this. */
const recordsMin = 4000;
const patienceMs = 500;
/** How often the store is asked to reclaim the space of deleted blocks. */
const reclaimPauseMs = 1000;

export interface BlockSweepParts {
  readonly lanes: DatabaseLanes;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes a background promise that the engine's close waits for. */
  readonly track: (task: Promise<unknown>) => void;
  /** There is more to delete. */
  readonly onWork: () => void;
}

/** What is to be deleted of one topic. */
interface Sweep {
  /** Records below the earliest offset, which stand in blocks. */
  readonly records: number;
  /** When it is deleted even if it is little. */
  readonly dueMs: number;
}

export class BlockSweep {
  readonly #parts: BlockSweepParts;
  /** By topic id; the next in turn is first. */
  readonly #sweeps = new Map<number, Sweep>();
  #isReclaiming = false;
  #reclaimDueMs = 0;
  #deadBlocks = 0;

  constructor(parts: BlockSweepParts) {
    this.#parts = parts;
  }

  /** How long the rest may wait, in milliseconds. Undefined: nothing is left. */
  get patienceMs(): number | undefined {
    return this.#sweeps.size > 0 ? patienceMs : undefined;
  }

  /** Some records of a topic were trimmed. */
  note(topicId: number, records: number): void {
    const before = this.#sweeps.get(topicId);
    const dueMs = before?.dueMs ?? this.#parts.clock.monotonicMs() + patienceMs;
    this.#sweeps.set(topicId, { records: (before?.records ?? 0) + records, dueMs });
    this.#parts.onWork();
  }

  /** Deletes one run of blocks. False: nothing is due. */
  async step(signal: AbortSignal): Promise<boolean> {
    const { lanes, clock, track } = this.#parts;
    const nowMs = clock.monotonicMs();
    for (const [topicId, { records, dueMs }] of this.#sweeps) {
      if (records < recordsMin && dueMs > nowMs) continue;
      this.#sweeps.delete(topicId);
      const request = { topicId, count: blocksPerStep };
      const deleted = await lanes.run("append", (store) => store.deleteTrimmed(request), signal);
      // The rest waits behind the other topics.
      if (deleted >= blocksPerStep) this.note(topicId, records);
      this.#deadBlocks += deleted;
      if (!this.#isReclaiming && nowMs >= this.#reclaimDueMs) track(this.#reclaim(signal));
      return true;
    }
    return false;
  }

  /** Runs beside the steps, since trims must not wait for it. */
  async #reclaim(signal: AbortSignal): Promise<void> {
    const { lanes, clock, logger } = this.#parts;
    this.#isReclaiming = true;
    const deleted = this.#deadBlocks;
    try {
      const isReclaimed = await lanes.run("history", (store) => store.reclaimBlocks(deleted), signal);
      if (isReclaimed) this.#deadBlocks -= deleted;
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, "the space of deleted blocks was not reclaimed; trying again");
    } finally {
      this.#isReclaiming = false;
      this.#reclaimDueMs = clock.monotonicMs() + reclaimPauseMs;
    }
  }
}
