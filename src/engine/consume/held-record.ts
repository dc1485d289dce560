import type { Claim } from "./claim.js";

/** What is known of a record of a claim, wherever it is: ready, with a consumer, or waiting for its retry. */
export interface RecordState {
  readonly claim: Claim;
  readonly offset: number;
  /** Of its key; undefined: it has none, or its subscription is not KEYED. */
  readonly lane: number | undefined;
  /** How often it was handed out before, and how many of those failed. */
  readonly deliveries: number;
  readonly failures: number;
}

/** A record without its frame: who keeps that keeps no page in memory. */
export function stateOf({ claim, offset, lane, deliveries, failures }: RecordState): RecordState {
  return { claim, offset, lane, deliveries, failures };
}

/** A record in memory: its frame is a part of a page. */
export interface HeldRecord extends RecordState {
  readonly page: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** A record that waits until it may be handed out again. */
export interface WaitingRecord extends RecordState {
  /** By the monotonic clock. */
  readonly dueMs: number;
}
