/** The results of a row. */

/** One subject of a row: ours, a peer to compare with, a limit that no service can exceed, or an extra. */
export interface Line {
  readonly subject: string;
  readonly role: "ours" | "peer" | "limit" | "extra";
  /** One value for each round; the table shows their median. Empty: not measured, and `note` says why. */
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
  /** Undefined: the subject to compare with was missing. */
  readonly measured: number | undefined;
  readonly wanted: number;
  readonly isReached: boolean | undefined;
  /** The unit of `measured` and `wanted`: `×`, `ms`, `deliveries/s`. */
  readonly unit: string;
}

export interface RowResult {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly goals: readonly Goal[];
  readonly notes: readonly string[];
}

/** A goal that is reached if `measured` is at least `wanted`. */
export function atLeast(text: string, measured: number | undefined, wanted: number, unit = "×"): Goal {
  return { text, measured, wanted, unit, isReached: measured === undefined ? undefined : measured >= wanted };
}

export function atMost(text: string, measured: number | undefined, wanted: number, unit = "×"): Goal {
  return { text, measured, wanted, unit, isReached: measured === undefined ? undefined : measured <= wanted };
}
