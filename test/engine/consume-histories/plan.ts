/** Everything that a seed determines of a history; the sharing is a parameter. */

import { seededRandom } from "../../support/soak.js";

/** The frequency of each kind of action. */
const weights = {
  append: 14,
  advance: 30,
  join: 12,
  say: 34,
  "say-late": 7,
  window: 6,
  stall: 5,
  cancel: 4,
  "half-close": 4,
  seek: 2,
  pause: 2,
  trim: 2,
  commit: 6,
  kill: 1.5,
  start: 2,
} as const;

export interface Action {
  readonly kind: keyof typeof weights;
  /** In [0, 1). */
  readonly chance: readonly number[];
}

export interface Plan {
  /** Each action has its own random numbers, so any may be left out. */
  readonly actions: readonly Action[];
  /**
   * The node's budget of outstanding records: sometimes so low that granted windows are smaller than requested ones.
   */
  readonly nodeRecords: number;
  readonly attemptsMax: number;
}

const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);

export function planHistory(seed: number): Plan {
  const random = seededRandom(seed);
  const draw = (kind: Action["kind"]): Action => ({ kind, chance: Array.from({ length: 8 }, random) });
  const opening: Action[] = [draw("append"), draw("join"), draw("join")];
  if (random() < 0.5) opening.unshift(draw("start"));
  const length = 15 + Math.floor(random() * 45);
  const actions = [...opening, ...Array.from({ length }, () => draw(kindOf(random() * total)))];
  return { actions, nodeRecords: seed % 4 === 0 ? 20 : 1000, attemptsMax: 2 + (seed % 2) };
}

function kindOf(drawn: number): Action["kind"] {
  let left = drawn;
  for (const [kind, weight] of Object.entries(weights)) {
    left -= weight;
    if (left < 0) return kind as Action["kind"];
  }
  return "advance";
}
