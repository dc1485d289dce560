/** Subscriptions as values: how consumers share the records, and what happens to records that fail. */

import type { Position } from "./page.js";

/** How consumers share a subscription's records. */
export type Sharing = "shared" | "exclusive" | "keyed";

/** When a record counts as failed, and what happens to it then. */
export interface DeliveryPolicy {
  /** How long a consumer has to settle a record, from when the transport took it. */
  readonly ackDeadlineMs: number;
  /** How often a record may fail before it is parked. */
  readonly attemptsMax: number;
  /** The delay of the first redelivery. It doubles with each failure, up to `retryMaxMs`. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How many records may wait for redelivery. */
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
  ackDeadlineMs: { min: 1000, max: 12 * 3600_000 },
  attemptsMax: { min: 1, max: 1000 },
  retryMs: { min: 0, max: 12 * 3600_000 },
  retryBacklog: { min: 1, max: 100_000 },
  /** Bytes of a reason, and how many reasons are kept with a record. */
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

/** How much a consumer allows to be outstanding. */
export interface Window {
  readonly records: number;
  readonly bytes: number;
}

/** The window of a consumer that sets none, and the largest window. */
export const windowBounds: { readonly initial: Window; readonly max: Window } = {
  initial: { records: 1000, bytes: 4 * 1024 * 1024 },
  max: { records: 100_000, bytes: 64 * 1024 * 1024 },
};

/** How far a subscription is. */
export interface SubscriptionFacts {
  /** All records below are acknowledged or parked. */
  readonly cursor: Position;
  /** Records from the cursor on that are neither acknowledged nor parked. */
  readonly lagRecords: number;
  /** Bytes of records from the cursor to the topic's end. */
  readonly lagBytes: number;
  /** How long ago the record at the cursor was published, in milliseconds; undefined at the end. */
  readonly lagAgeMs: number | undefined;
  /** Records that are delivered and not acknowledged. */
  readonly outstandingRecords: number;
  /** Records that failed and wait for redelivery. */
  readonly retryRecords: number;
  readonly parkedRecords: number;
}

/**
 * How many slots the keys of a KEYED subscription fall into. Nodes share the slots, so at most this many nodes take part.
 * Stored claims rely on the number: it must not change.
 */
export const keySlots = 32;
