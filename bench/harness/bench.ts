import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Settings } from "../settings.js";
import type { Stops } from "./stops.js";

/** What a row is given: what to measure, where to put things, and who stops what it starts. */
export interface Bench {
  readonly settings: Settings;
  /** Of this row: run when it is over. */
  readonly stops: Stops;
  /** A folder of this run's own, gone at its end. All data lies here, on one filesystem. */
  readonly folder: string;
  /** The Postgres of this run: the URL of a database that nobody else uses. */
  createDatabase(): Promise<string>;
  progress(text: string): void;
}

/** Where profiles go: inside what `make clean` removes. */
export const profileFolder = fileURLToPath(new URL("../../profiles", import.meta.url));

/** Arguments of Node that write a CPU profile of a process when it ends, if profiles are wanted. */
export function profileArgs(bench: Bench, name: string): string[] {
  if (!bench.settings.takesProfiles) return [];
  mkdirSync(profileFolder, { recursive: true });
  return ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${name}.cpuprofile`];
}

/** One after the other, in turns, so that what disturbs the machine disturbs all of them. */
export async function inTurns(
  bench: Bench,
  subjects: readonly { readonly name: string; measure(round: number): Promise<void> }[],
): Promise<void> {
  for (let round = 0; round < bench.settings.rounds; round++) {
    for (const subject of subjects) {
      bench.progress(`round ${round + 1} of ${bench.settings.rounds}: ${subject.name}`);
      await subject.measure(round);
    }
  }
}
