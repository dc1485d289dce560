import { expressionBuilder, type InferResult, sql } from "kysely";
import type { StoredSubscription } from "../../subscription-store.js";
import { type Tables, tables } from "../schema.js";
import { asList, microsOf } from "../selection.js";

/** The tables of a subscription, for `sql`. Index: `topics_pkey`, and the one of `subscriptions` that finds it. */
export const subscriptionTables = sql`millrace.subscriptions as s
  join millrace.topics as t on t.topic_id = s.topic_id`;

const eb = expressionBuilder<Tables & { s: Tables["subscriptions"]; t: Tables["topics"] }, "s" | "t">();

/** A subscription's columns, from `subscriptionTables`. No name equals that of a head's column. */
export const subscriptionSelection = [
  eb.ref("s.subscription_id").as("subscriptionId"),
  eb.ref("s.name").as("name"),
  eb.ref("s.topic_id").as("topicId"),
  eb.ref("t.name").as("topic"),
  eb.ref("s.epoch").as("cursorEpoch"),
  eb.ref("s.sharing").as("sharing"),
  eb.ref("s.ack_deadline_ms").as("ackDeadlineMs"),
  eb.ref("s.attempts_max").as("attemptsMax"),
  eb.ref("s.retry_min_ms").as("retryMinMs"),
  eb.ref("s.retry_max_ms").as("retryMaxMs"),
  eb.ref("s.retry_backlog").as("retryBacklog"),
  eb.ref("s.labels").as("labels"),
  eb.ref("s.paused").as("isPaused"),
  eb.ref("s.generation").as("generation"),
  eb.ref("s.ticket").as("ticket"),
  eb.ref("s.attempts_before").as("attemptsBefore"),
  microsOf(eb.ref("s.created_at")).as("createTimeMicros"),
] as const;

/** `subscriptionSelection` as a list for `sql`. */
export const subscriptionColumns = asList(subscriptionSelection);

/** Subscriptions `s` with their topics `t`. Index: as `subscriptionTables`. */
export function selectSubscriptions() {
  return tables
    .selectFrom("subscriptions as s")
    .innerJoin("topics as t", "t.topic_id", "s.topic_id")
    .select(subscriptionSelection);
}

export type SubscriptionRow = Readonly<InferResult<ReturnType<typeof selectSubscriptions>>[number]>;

export function toStoredSubscription(row: SubscriptionRow): StoredSubscription {
  const {
    subscriptionId,
    name,
    topicId,
    topic,
    sharing,
    isPaused,
    generation,
    ticket,
    attemptsBefore,
    createTimeMicros,
  } = row;
  const { ackDeadlineMs, attemptsMax, retryMinMs, retryMaxMs, retryBacklog } = row;
  return {
    subscriptionId,
    name,
    topicId,
    topic,
    epoch: row.cursorEpoch,
    sharing,
    policy: { ackDeadlineMs, attemptsMax, retryMinMs, retryMaxMs, retryBacklog },
    labels: new Map(Object.entries(row.labels)),
    isPaused,
    generation,
    ticket,
    attemptsBefore,
    createTimeMicros,
  };
}
