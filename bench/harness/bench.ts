import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Settings } from "../settings.js";
import type { Stops } from "./stops.js";

/** The context of a row: settings, folders, and cleanup. */
export interface Bench {
  readonly settings: Settings;
  /** Of this row: run at its end. */
  readonly stops: Stops;
  /** A folder for this run, deleted at its end. All data is in it, on one filesystem. */
  readonly folder: string;
  /** In this run's Postgres: returns the URL of a database that nobody else uses. */
  createDatabase(): Promise<string>;
  progress(text: string): void;
}

/** The folder of profiles, inside what `make clean` removes. */
export const profileFolder = fileURLToPath(new URL("../../profiles", import.meta.url));

/** Node's arguments for a CPU profile of a process, written at its end, if profiles are wanted. */
export function profileArgs(bench: Bench, name: string): string[] {
  if (!bench.settings.takesProfiles) return [];
  mkdirSync(profileFolder, { recursive: true });
  return ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${name}.cpuprofile`];
}

/** Measures the subjects in turns, so that a disturbance of the machine affects all of them. */
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
