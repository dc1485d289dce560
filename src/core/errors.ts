/**
 * Every refusal of Millrace is a `MillraceError`: a code, and structured fields beside it. Each door maps the codes to its
 * own statuses (`rpc/status.ts`); the map does not compile while a code is missing.
 */

import { answerBytes } from "./limits.js";
import type { OffsetRange } from "./producer.js";
import type { StateBuild } from "./state-build.js";

/** Why a request was refused: one code for each condition that a caller can act on. */
export type ErrorCode =
  | "invalid-argument"
  | "topic-not-found"
  | "topic-deleted"
  | "topic-exists"
  | "topic-closed"
  | "topic-not-keyed"
  | "state-building"
  | "topic-limit"
  | "epoch-mismatch"
  | "offset-mismatch"
  | "producer-gap"
  | "producer-fenced"
  | "offset-out-of-range"
  | "fell-behind"
  | "subscription-not-found"
  | "subscription-exists"
  | "consumer-fenced"
  | "consumer-limit"
  | "stale-delivery"
  | "parked-not-found"
  | "answer-too-large"
  | "publish-budget-exceeded"
  | "lane-full"
  | "call-ended"
  | "database-unavailable"
  | "draining"
  | "data-loss"
  | "internal";

/** One fault of a request: the path of the field, as written in proto (`records[3].key`), and what is wrong with it. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** Facts for programs, beside the text: offsets, epochs, limits. */
export interface ErrorFacts {
  readonly violations?: readonly FieldViolation[];
  /** Named values for `google.rpc.ErrorInfo.metadata`: `earliest_offset`, `next_offset`, `epoch`, … */
  readonly metadata?: Readonly<Record<string, string>>;
  /** How long to wait before the same call can succeed, in milliseconds. Unset: the same call will fail again. */
  readonly retryDelayMs?: number;
  readonly cause?: unknown;
}

export class MillraceError extends Error {
  override readonly name: string = "MillraceError";
  readonly code: ErrorCode;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryDelayMs: number | undefined;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.violations = facts.violations ?? [];
    this.metadata = facts.metadata ?? {};
    this.retryDelayMs = facts.retryDelayMs;
  }
}

/** Refuses a value of a request. `field` is its path as written in proto. */
export function invalidArgument(field: string, description: string): MillraceError {
  return new MillraceError("invalid-argument", `${field}: ${description}`, { violations: [{ field, description }] });
}

/** The answer does not fit into one message. `wayOut` says how to get it in another way. */
export function answerTooLarge(what: string, wayOut: string): MillraceError {
  const metadata = { answer_bytes_max: String(answerBytes) };
  return new MillraceError("answer-too-large", `${what}, at most ${answerBytes} are allowed: ${wayOut}`, { metadata });
}

export function topicNotFound(topic: string): MillraceError {
  return new MillraceError("topic-not-found", `There is no topic "${topic}"`, { metadata: { topic } });
}

export function topicDeleted(topic: string, next: { epoch: number; offset: number }): MillraceError {
  return new MillraceError("topic-deleted", `Topic "${topic}" was deleted`, {
    metadata: { topic, epoch: String(next.epoch), offset: String(next.offset) },
  });
}

export function topicExists(topic: string): MillraceError {
  return new MillraceError("topic-exists", `Topic "${topic}" exists already`, { metadata: { topic } });
}

export function topicClosed(topic: string, nextOffset: number): MillraceError {
  return new MillraceError(
    "topic-closed",
    `Cannot append to topic "${topic}": it is closed, and ends at offset ${nextOffset}`,
    { metadata: { topic, next_offset: String(nextOffset) } },
  );
}

export function topicNotKeyed(topic: string): MillraceError {
  return new MillraceError(
    "topic-not-keyed",
    `Topic "${topic}" keeps no state: it is not \`keyed\`. Change that with TopicService.UpdateTopic`,
    {
      metadata: { topic },
    },
  );
}

/** The state of a topic that was made keyed is not complete yet. */
export function stateBuilding(topic: string, build: StateBuild): MillraceError {
  const { fromOffset, nextOffset, untilOffset } = build;
  const done = fromOffset - nextOffset;
  return new MillraceError(
    "state-building",
    `The state of topic "${topic}" is being built: ${done} of ${fromOffset - untilOffset} records are in it. Retry when it is complete`,
    {
      metadata: {
        topic,
        from_offset: String(fromOffset),
        next_offset: String(nextOffset),
        until_offset: String(untilOffset),
      },
      retryDelayMs: 1000,
    },
  );
}

export function epochMismatch(topic: string, asked: number, actual: number): MillraceError {
  return new MillraceError(
    "epoch-mismatch",
    `Topic "${topic}" has epoch ${actual}, not ${asked}: it was deleted and created again. Start without the old position`,
    { metadata: { topic, epoch: String(actual), requested_epoch: String(asked) } },
  );
}

export function offsetMismatch(topic: string, expected: number, nextOffset: number): MillraceError {
  return new MillraceError(
    "offset-mismatch",
    `Cannot append to topic "${topic}" at offset ${expected}: it ends at ${nextOffset}`,
    { metadata: { topic, expected_offset: String(expected), next_offset: String(nextOffset) } },
  );
}

/** `kept`: what the topic has. The text says on which side of it the reader's offset is. */
export function offsetOutOfRange(
  topic: string,
  offset: number,
  kept: { epoch: number; earliestOffset: number; nextOffset: number },
): MillraceError {
  const side =
    offset < kept.earliestOffset
      ? `records below ${kept.earliestOffset} are no longer kept`
      : `its next offset is ${kept.nextOffset}`;
  return new MillraceError("offset-out-of-range", `Cannot read topic "${topic}" at offset ${offset}: ${side}`, {
    metadata: {
      topic,
      epoch: String(kept.epoch),
      offset: String(offset),
      earliest_offset: String(kept.earliestOffset),
      next_offset: String(kept.nextOffset),
    },
  });
}

export function subscriptionNotFound(subscription: string): MillraceError {
  return new MillraceError("subscription-not-found", `There is no subscription "${subscription}"`, {
    metadata: { subscription },
  });
}

export function subscriptionExists(subscription: string): MillraceError {
  return new MillraceError("subscription-exists", `Subscription "${subscription}" exists already`, {
    metadata: { subscription },
  });
}

/** A newer consumer of an EXCLUSIVE subscription took over. */
export function consumerFenced(subscription: string): MillraceError {
  return new MillraceError(
    "consumer-fenced",
    `A newer consumer has taken over the EXCLUSIVE subscription "${subscription}". Consume again only to take it back`,
    { metadata: { subscription } },
  );
}

export function parkedNotFound(subscription: string, offset: number): MillraceError {
  return new MillraceError("parked-not-found", `Subscription "${subscription}" has no parked record at ${offset}`, {
    metadata: { subscription, offset: String(offset) },
  });
}

/** How many ranges of offsets an error names: its metadata must fit into a trailer. */
const namedRangesMax = 8;

/** Some records no longer belong to the consumer. `ranges`: their offsets, ascending. */
export function staleDelivery(subscription: string, ranges: Iterable<OffsetRange>): MillraceError {
  const texts = [...ranges].map(({ firstOffset, nextOffset }) =>
    nextOffset === firstOffset + 1 ? String(firstOffset) : `${firstOffset}-${nextOffset - 1}`,
  );
  const offsets = texts.length > namedRangesMax ? `${texts.slice(0, namedRangesMax).join(",")},…` : texts.join(",");
  return new MillraceError(
    "stale-delivery",
    `Nothing was committed: these records of subscription "${subscription}" no longer belong to this consumer, or are acknowledged already: ${offsets}`,
    { metadata: { subscription, offsets } },
  );
}
