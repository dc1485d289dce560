import { sql } from "kysely";
import type { Head, StoredTopic } from "../../store.js";

/** A head's columns, of `topic_heads` as `h`, under the names that `Head` has. */
export const headColumns = sql`h.topic_id as "topicId", h.epoch, h.version,
  h.earliest_offset as "earliestOffset", h.next_offset as "nextOffset",
  h.earliest_bytes as "earliestBytes", h.next_bytes as "nextBytes",
  h.last_time as "lastTimeMicros", h.closed, h.keyed`;

/** A topic's columns, of `topics` as `t` and `topic_heads` as `h`. */
export const topicColumns = sql`t.name, t.labels,
  t.record_bytes as "recordBytes", t.batch_records as "batchRecords", t.batch_bytes as "batchBytes",
  (extract(epoch from t.created_at) * 1000000)::bigint as "createTimeMicros",
  ${headColumns}`;

export interface TopicRow extends Head {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly recordBytes: number;
  readonly batchRecords: number;
  readonly batchBytes: number;
  readonly createTimeMicros: number;
}

export function toStoredTopic(row: TopicRow): StoredTopic {
  const { name, labels, recordBytes, batchRecords, batchBytes, createTimeMicros, ...head } = row;
  return {
    name,
    // JSON.parse gives even `__proto__` as a key of its own, and so does Object.entries.
    labels: new Map(Object.entries(labels)),
    limits: { recordBytes, batchRecords, batchBytes },
    createTimeMicros,
    head,
  };
}

/** Labels as JSON; a Map's `__proto__` stays a key. */
export function encodeLabels(labels: ReadonlyMap<string, string>): string {
  return JSON.stringify(Object.fromEntries(labels));
}
