/**
 * Histories of consumers on a simulated clock: one or two engines on one database, consumers that act at random, and a
 * model that checks the results. A history depends on its seed alone, so a failed one can be run again, and is reduced
 * to the actions that it needs to fail.
 *
 * fuzz-consumers ─▶ run-history ─▶ actions, end ─▶ history ─▶ model, simulation
 */

import type { Sharing } from "../../../src/core/index.js";
import { type CheckName, checkNames } from "./checks.js";
import { cutDown } from "./cut-down.js";
import { planHistory } from "./plan.js";
import { type HistoryResult, runHistory } from "./run-history.js";
import { onSimulatedDatabase, type SimulatedDatabase } from "./simulation/simulated-database.js";

export const sharings = ["shared", "exclusive", "keyed"] as const satisfies readonly Sharing[];

export interface FuzzOptions {
  readonly sharing: Sharing;
  /** The seed of the first history; each further history uses the next number. */
  readonly seed: number;
  readonly histories: number;
  /** Checks to leave out. Default: none. */
  readonly without?: readonly CheckName[];
  /** Called for each fault. Default: stop at the first. */
  readonly onFault?: (seed: number, result: HistoryResult) => void;
}

export interface FuzzTotals {
  readonly histories: number;
  readonly deliveries: number;
  readonly statements: number;
}

/** Tables grow with histories: after this number a new database is used. */
const historiesPerDatabase = 500;

/** Throws, with the seed and the reduced history, when a history does not agree with the model. */
export async function fuzzConsumers(options: FuzzOptions): Promise<FuzzTotals> {
  const { sharing, seed: firstSeed, histories, without = [], onFault } = options;
  const isOn = (check: CheckName): boolean => !without.includes(check);
  let deliveries = 0;
  let statements = 0;
  for (let first = 0; first < histories; first += historiesPerDatabase) {
    await onSimulatedDatabase(async (database) => {
      for (let each = first; each < Math.min(histories, first + historiesPerDatabase); each++) {
        const seed = firstSeed + each;
        const result = await runHistory({ database, name: `h-${each}`, sharing, plan: planHistory(seed), isOn });
        deliveries += result.deliveries;
        if (result.fault === undefined) continue;
        if (onFault === undefined) throw await explain(database, options, seed, isOn);
        onFault(seed, result);
      }
      statements += database.calls;
    });
  }
  return { histories, deliveries, statements };
}

async function explain(
  database: SimulatedDatabase,
  { sharing, seed: firstSeed }: FuzzOptions,
  seed: number,
  isOn: (check: CheckName) => boolean,
): Promise<Error> {
  let runs = 0;
  const plan = planHistory(seed);
  const shortest = await cutDown(plan.actions, (actions) => {
    const name = `e-${firstSeed}-${seed}-${++runs}`;
    return runHistory({ database, name, sharing, plan: { ...plan, actions }, isOn });
  });
  if (shortest === undefined) return new Error(`Seed ${seed} of ${sharing} failed once, and not again`);
  const { actions, fault, log } = shortest;
  return new Error(
    `${sharing.toUpperCase()}, SEED=${seed}: ${fault.message}\n${log.join("\n")}\n` +
      `Of ${checkNames.length} rules; ${plan.actions.length} actions were cut to ${actions.length}`,
  );
}
