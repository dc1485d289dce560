/** Subscriptions as values: how they share, and what they do with records that fail. */

/** How consumers share a subscription's records. */
export type Sharing = "shared" | "exclusive" | "keyed";

/** What is done with records that fail, and when a record counts as failed. */
export interface DeliveryPolicy {
  /** How long a consumer has for a record, from when the transport took it. */
  readonly ackDeadlineMs: number;
  /** How often a record may fail before it is parked. */
  readonly attemptsMax: number;
  /** What the first failure waits, and what later ones wait at most: it doubles in between. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How many records may wait for a retry. */
  readonly retryBacklog: number;
}

export const defaultDeliveryPolicy: DeliveryPolicy = {
  ackDeadlineMs: 30_000,
  attemptsMax: 5,
  retryMinMs: 1000,
  retryMaxMs: 60_000,
  retryBacklog: 10_000,
};

/** Bounds of a policy, and of the delays that consumers ask for. */
export const deliveryBounds = {
  ackDeadlineMs: { least: 1000, most: 12 * 3600_000 },
  attemptsMax: { least: 1, most: 1000 },
  retryMs: { least: 0, most: 12 * 3600_000 },
  retryBacklog: { least: 1, most: 100_000 },
  /** A reason's bytes, and how many of them are kept with a record. */
  reasonBytes: 1024,
  reasons: 100,
  /** A consumer's name, in bytes. */
  consumerNameBytes: 128,
  /** Offset ranges in one message of a consumer. */
  rangesInMessage: 10_000,
  /** Records that one Commit acknowledges, and topics that it appends to. */
  commitRecords: 10_000,
  commitTopics: 100,
} as const;

/** What a consumer allows to be outstanding. */
export interface Window {
  readonly records: number;
  readonly bytes: number;
}

/** A window that is not told, and what it may be at most. */
export const windowBounds: { readonly initial: Window; readonly most: Window } = {
  initial: { records: 1000, bytes: 4 * 1024 * 1024 },
  most: { records: 100_000, bytes: 64 * 1024 * 1024 },
};

/**
 * Into how many slots the keys of a KEYED subscription fall: what nodes share it by, so at most so many nodes take part.
 * Stored claims rely on it.
 */
export const keySlots = 32;
