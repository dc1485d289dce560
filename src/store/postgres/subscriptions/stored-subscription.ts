import { sql } from "kysely";
import type { Sharing } from "../../../core/index.js";
import type { StoredSubscription } from "../../subscription-store.js";

/** Where a subscription is. Index: `topics_pkey`, beside the one that finds it in `subscriptions`. */
export const subscriptionTables = sql`millrace.subscriptions as s
  join millrace.topics as t on t.topic_id = s.topic_id`;

/** A subscription's columns, of `subscriptionTables`. None has the name of another column of a head. */
export const subscriptionColumns = sql`s.subscription_id as "subscriptionId", s.name, s.topic_id as "topicId",
  t.name as topic, s.epoch as "cursorEpoch", s.sharing,
  s.ack_deadline_ms as "ackDeadlineMs", s.attempts_max as "attemptsMax", s.retry_min_ms as "retryMinMs",
  s.retry_max_ms as "retryMaxMs", s.retry_backlog as "retryBacklog", s.labels, s.paused as "isPaused",
  s.generation, s.ticket, s.attempts_before as "attemptsBefore",
  (extract(epoch from s.created_at) * 1000000)::bigint as "createTimeMicros"`;

export interface SubscriptionRow {
  readonly subscriptionId: number;
  readonly name: string;
  readonly topicId: number;
  readonly topic: string;
  readonly cursorEpoch: number;
  readonly sharing: Sharing;
  readonly ackDeadlineMs: number;
  readonly attemptsMax: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  readonly retryBacklog: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly isPaused: boolean;
  readonly generation: number;
  readonly ticket: number;
  readonly attemptsBefore: number;
  readonly createTimeMicros: number;
}

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
