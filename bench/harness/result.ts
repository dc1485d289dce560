/** What a row found out. */

/** One subject of a row: ours, a peer that we compare ourselves with, a limit that nobody can pass, or an extra. */
export interface Line {
  readonly subject: string;
  readonly role: "ours" | "peer" | "limit" | "extra";
  /** One value a round. Their median is shown. Empty: it was not measured, and `note` says why. */
  readonly values: readonly number[];
  readonly unit: Unit;
  readonly note?: string;
}

export type Unit =
  | "records/s"
  | "features/s"
  | "deliveries/s"
  | "items/s"
  | "KiB/stream"
  | "B/record"
  | "µs/record"
  | "ms";

/** A target, and whether it was reached. */
export interface Goal {
  readonly text: string;
  /** Undefined: what it compares with was not there. */
  readonly measured: number | undefined;
  readonly wanted: number;
  readonly isReached: boolean | undefined;
  /** What `measured` and `wanted` are: `×`, `ms`, `deliveries/s`. */
  readonly unit: string;
}

export interface RowResult {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly goals: readonly Goal[];
  readonly notes: readonly string[];
}

/** How many times as much as `base`; undefined where one of them is missing. */
export function atLeast(text: string, measured: number | undefined, wanted: number, unit = "×"): Goal {
  return { text, measured, wanted, unit, isReached: measured === undefined ? undefined : measured >= wanted };
}

export function atMost(text: string, measured: number | undefined, wanted: number, unit = "×"): Goal {
  return { text, measured, wanted, unit, isReached: measured === undefined ? undefined : measured <= wanted };
}
