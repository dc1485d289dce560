/** What happens in a history, by chance: each action draws what it needs from its own numbers, so that any may be left out. */

import type { Random } from "../support/soak.js";

/** How often each kind of action is drawn. */
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

const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);

export function planHistory(random: Random): readonly Action[] {
  const draw = (kind: Action["kind"]): Action => ({ kind, chance: Array.from({ length: 8 }, random) });
  const opening: Action[] = [draw("append"), draw("join"), draw("join")];
  if (random() < 0.5) opening.unshift(draw("start"));
  const length = 15 + Math.floor(random() * 45);
  return [...opening, ...Array.from({ length }, () => draw(kindOf(random() * total)))];
}

function kindOf(drawn: number): Action["kind"] {
  let left = drawn;
  for (const [kind, weight] of Object.entries(weights)) {
    left -= weight;
    if (left < 0) return kind as Action["kind"];
  }
  return "advance";
}
