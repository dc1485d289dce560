import type { Sharing } from "../../../src/core/index.js";
import { planHistory } from "./plan.js";
import { type HistoryResult, runHistory } from "./run-history.js";
import { onSimulatedDatabase } from "./simulation/simulated-database.js";

export interface WallJumpPair {
  readonly seed: number;
  readonly calm: HistoryResult;
  readonly jumping: HistoryResult;
}

/**
 * Runs each history twice: with a wall clock that alternates between ahead and behind by this much, and with a right
 * one.
 */
export async function besideWallJumps(
  sharing: Sharing,
  seeds: readonly number[],
  jumpMs: number,
): Promise<readonly WallJumpPair[]> {
  return onSimulatedDatabase(async (database) => {
    const pairs: WallJumpPair[] = [];
    for (const seed of seeds) {
      const run = (name: string, wallJumpMs: number): Promise<HistoryResult> =>
        runHistory({ database, name, sharing, plan: planHistory(seed), isOn: () => false, wallJumpMs });
      pairs.push({ seed, calm: await run(`calm-${seed}`, 0), jumping: await run(`jumping-${seed}`, jumpMs) });
    }
    return pairs;
  });
}
