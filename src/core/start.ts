import type { Position } from "./page.js";

/** Where reading starts. */
export type Start =
  | { readonly at: "earliest" }
  | { readonly at: "latest" }
  | { readonly at: "position"; readonly position: Position }
  | { readonly at: "offset"; readonly offset: number }
  /** The first record that the server took at this time or later, in microseconds since 1970. */
  | { readonly at: "time"; readonly timeMicros: number }
  /** The newest `count` records. */
  | { readonly at: "last"; readonly count: number };

/** Where a finite read stops. */
export type Until =
  | { readonly at: "end" }
  | { readonly at: "offset"; readonly offset: number }
  | { readonly at: "time"; readonly timeMicros: number };

export type Direction = "forward" | "backward";

/** What a reader gets when its next offset is no longer kept. */
export type WhenTrimmed = "fail" | "skip";

/** Why records are left out of a read or a follow: the topic no longer keeps them, or the follower was too slow. */
export type SkippedReason = "trimmed" | "behind";

/** What a live follower gets when its next offset is no longer in the node's memory. */
export type WhenBehind = "catch-up" | "skip" | "fail";
