/** Soaks: what the tests do small, at full size, with chance in it, again and again for as long as one likes. */

import { randomInt } from "node:crypto";

/** A number in [0, 1). */
export type Random = () => number;

/** The same seed gives the same numbers: a soak that failed can be told to do the same again. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** A whole number, both bounds included. */
export function wholeNumberBetween(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

export function oneOf<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[wholeNumberBetween(random, 0, choices.length - 1)] ?? choices[0];
}

/** What `make soak SEED=… DURATION=…` says. By default any seed, and one round. */
const settings = {
  seed: numberOf("MILLRACE_SOAK_SEED") ?? randomInt(2 ** 32),
  seconds: numberOf("MILLRACE_SOAK_SECONDS") ?? 0,
};

/** How much of what a soak counts: `make soak COUNT=…`. */
export function soakCount(initial: number): number {
  return numberOf("MILLRACE_SOAK_COUNT") ?? initial;
}

/** No soak takes longer than its time and a round, and a round is over in minutes. */
export const soakTimeoutMs = (settings.seconds + 1800) * 1000;

/** Runs whole rounds until the time is over, one at least. Each has numbers of its own, made of the seed. */
export async function soakRounds(name: string, round: (random: Random) => Promise<void>): Promise<void> {
  const { seed, seconds } = settings;
  console.log(`${name}: SEED=${seed} DURATION=${seconds}`);
  const end = performance.now() + seconds * 1000;
  let rounds = 0;
  do {
    await round(seededRandom(seed + rounds));
    rounds += 1;
  } while (performance.now() < end);
  console.log(`${name}: ${rounds} rounds`);
}

function numberOf(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === "") return undefined;
  if (!/^\d+$/.test(text)) throw new Error(`${variable} must be a whole number, got ${JSON.stringify(text)}`);
  return Number(text);
}
