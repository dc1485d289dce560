/**
 * Histories of consumers on a simulated clock: an engine or two on one database, consumers who do what they like, and a model
 * that says what must come of it. A history is made of its seed alone, so one that fails can be run again, and it is cut
 * down to what it needs to fail.
 */

import type { Sharing } from "../../src/core/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { seededRandom } from "../support/soak.js";
import { type CheckName, checkNames } from "./consume-fuzz-checks.js";
import { type HistoryResult, runHistory } from "./consume-fuzz-history.js";
import { simulateDatabase, type SimulatedDatabase } from "./consume-fuzz-node.js";
import { type Action, planHistory } from "./consume-fuzz-plan.js";

export const sharings = ["shared", "exclusive", "keyed"] as const satisfies readonly Sharing[];

export interface FuzzOptions {
  readonly sharing: Sharing;
  /** The first history's; the next one's is one more. */
  readonly seed: number;
  readonly histories: number;
  /** Checks that are left out. Default: none. */
  readonly without?: readonly CheckName[];
  /** Default: stop at the first one. */
  readonly onFault?: (seed: number, result: HistoryResult) => void;
}

export interface FuzzTotals {
  readonly histories: number;
  readonly deliveries: number;
  readonly statements: number;
}

/** Tables grow with histories: after so many a new database takes over. */
const historiesPerDatabase = 500;

/** Now and then a node has so little room that windows are granted smaller than they are asked for. */
const limitsOf = (seed: number) => ({ nodeRecords: seed % 4 === 0 ? 20 : 1000, attemptsMax: 2 + (seed % 2) });

/** Throws with the seed and what happened, cut down, when a history does not agree with the model. */
export async function fuzzConsumers(options: FuzzOptions): Promise<FuzzTotals> {
  const { sharing, seed, histories, without = [], onFault } = options;
  const isOn = (check: CheckName): boolean => !without.includes(check);
  let deliveries = 0;
  let statements = 0;
  for (let first = 0; first < histories; first += historiesPerDatabase) {
    await onDatabase(async (database) => {
      for (let each = first; each < Math.min(histories, first + historiesPerDatabase); each++) {
        const plan = planHistory(seededRandom(seed + each));
        const result = await runHistory({
          database,
          name: `h-${each}`,
          sharing,
          plan,
          ...limitsOf(seed + each),
          isOn,
        });
        deliveries += result.deliveries;
        if (result.fault === undefined) continue;
        if (onFault === undefined) throw await explain(database, options, seed + each, plan, isOn);
        onFault(seed + each, result);
      }
      statements += database.calls;
    });
  }
  return { histories, deliveries, statements };
}

/** Runs each history twice, with a wall clock that is so far ahead and so far behind by turns and with one that is right. */
export async function besideWallJumps(
  sharing: Sharing,
  seeds: readonly number[],
  jumpMs: number,
): Promise<readonly { readonly seed: number; readonly calm: HistoryResult; readonly jumping: HistoryResult }[]> {
  return onDatabase(async (database) => {
    const pairs = [];
    for (const seed of seeds) {
      const run = (name: string, wallJumpMs: number): Promise<HistoryResult> => {
        const plan = planHistory(seededRandom(seed));
        return runHistory({ database, name, sharing, plan, ...limitsOf(seed), isOn: () => false, wallJumpMs });
      };
      pairs.push({ seed, calm: await run(`calm-${seed}`, 0), jumping: await run(`jumping-${seed}`, jumpMs) });
    }
    return pairs;
  });
}

async function onDatabase<T>(use: (database: SimulatedDatabase) => Promise<T>): Promise<T> {
  let database: TestDatabase | undefined;
  try {
    database = await createTestDatabase("embedded");
    return await use(simulateDatabase(await database.openStore()));
  } finally {
    await database?.drop();
  }
}

/** Leaves out of a history what it does not need to break the same rule. */
async function explain(
  database: SimulatedDatabase,
  { sharing, seed: firstSeed }: FuzzOptions,
  seed: number,
  plan: readonly Action[],
  isOn: (check: CheckName) => boolean,
): Promise<Error> {
  let runs = 0;
  const run = (actions: readonly Action[]): Promise<HistoryResult> =>
    runHistory({
      database,
      name: `e-${firstSeed}-${seed}-${++runs}`,
      sharing,
      plan: actions,
      ...limitsOf(seed),
      isOn,
    });
  let shortest = plan;
  let result = await run(plan);
  const check = result.fault?.check;
  if (check === undefined) return new Error(`Seed ${seed} of ${sharing} failed once, and not again`);
  for (let size = Math.ceil(plan.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < shortest.length && runs < 300; ) {
      const shorter = [...shortest.slice(0, from), ...shortest.slice(from + size)];
      const again = await run(shorter);
      if (again.fault?.check === check) {
        shortest = shorter;
        result = again;
      } else from += size;
    }
  }
  return new Error(
    `${sharing.toUpperCase()}, SEED=${seed}: ${result.fault?.message ?? check}\n${result.log.join("\n")}\n` +
      `Of ${checkNames.length} rules; ${plan.length} actions were cut to ${shortest.length}`,
  );
}
