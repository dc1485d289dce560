import type { HistoryFault } from "./checks.js";
import type { Action } from "./plan.js";
import type { HistoryResult } from "./run-history.js";

const runsMax = 300;

export interface FailingHistory {
  readonly actions: readonly Action[];
  readonly fault: HistoryFault;
  readonly log: readonly string[];
}

/** Removes the actions that a history does not need to break the same rule. Undefined: it does not fail again. */
export async function cutDown(
  actions: readonly Action[],
  run: (actions: readonly Action[]) => Promise<HistoryResult>,
): Promise<FailingHistory | undefined> {
  const { fault, log } = await run(actions);
  if (fault === undefined) return undefined;
  let shortest: FailingHistory = { actions, fault, log };
  let runs = 1;
  for (let size = Math.ceil(actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < shortest.actions.length && runs < runsMax; ) {
      const shorter = [...shortest.actions.slice(0, from), ...shortest.actions.slice(from + size)];
      const again = await run(shorter);
      runs += 1;
      if (again.fault?.check === fault.check) {
        shortest = { actions: shorter, fault: again.fault, log: again.log };
      } else from += size;
    }
  }
  return shortest;
}
