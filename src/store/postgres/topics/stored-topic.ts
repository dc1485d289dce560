import { sql } from "kysely";
import type { StateBuild } from "../../../core/index.js";
import type { Head, StoredTopic } from "../../topic-store.js";

/**
 * Heads as `h`, each with the end of its log: an append only inserts, so a topic ends where its last block does, or where
 * it was trimmed to when none is left. Index: `topic_heads_pkey`, and the last entry of a topic in `blocks_pkey`; `front`
 * keeps the look from walking over what was deleted, which a held snapshot keeps there (blocks.md, rule 6).
 */
export const heads = sql`millrace.topic_heads as h left join lateral (
  select b.next_offset, b.end_bytes, b.last_time from millrace.blocks as b
  where b.topic_id = h.topic_id and b.first_offset >= h.front order by b.first_offset desc limit 1
) as last on true`;

/** Of `heads`. */
export const logEnd = {
  offset: sql<number>`coalesce(last.next_offset, h.earliest_offset)`,
  bytes: sql<number>`coalesce(last.end_bytes, h.earliest_bytes)`,
  timeMicros: sql<number>`coalesce(last.last_time, h.last_time)`,
};

/** A head's columns, of `heads`, under the names that `Head` has. */
export const headColumns = sql`h.topic_id as "topicId", h.epoch, h.version,
  h.earliest_offset as "earliestOffset", ${logEnd.offset} as "nextOffset",
  h.earliest_bytes as "earliestBytes", ${logEnd.bytes} as "nextBytes",
  ${logEnd.timeMicros} as "lastTimeMicros", h.closed, h.keyed,
  h.tombstones_from as "tombstonesFrom", h.expiring`;

/** The names that `headColumns` gives, and as many nulls: a query whose first row is the head, and others are not. */
export const headNames = sql`"topicId", epoch, version, "earliestOffset", "nextOffset", "earliestBytes", "nextBytes",
  "lastTimeMicros", closed, keyed, "tombstonesFrom", expiring`;
export const noHead = sql`null, null, null, null, null, null, null, null, null, null, null, null`;

/** Where a topic is. Index: as of `heads`, `state_builds_pkey`, beside the one that finds it in `topics`. */
export const topicTables = sql`millrace.topics as t
  join (${heads}) on h.topic_id = t.topic_id
  left join millrace.state_builds as b on b.topic_id = t.topic_id`;

/** A topic's columns, of `topicTables`. */
export const topicColumns = sql`t.name, t.labels,
  t.record_bytes as "recordBytes", t.batch_records as "batchRecords", t.batch_bytes as "batchBytes",
  t.retention_age_ms as "retentionAgeMs", t.retention_records as "retentionRecords",
  t.retention_bytes as "retentionBytes",
  (extract(epoch from t.created_at) * 1000000)::bigint as "createTimeMicros",
  b.from_offset as "buildFrom", b.next_offset as "buildNext",
  ${headColumns}`;

export interface TopicRow extends Head {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly recordBytes: number;
  readonly batchRecords: number;
  readonly batchBytes: number;
  readonly retentionAgeMs: number;
  readonly retentionRecords: number;
  readonly retentionBytes: number;
  readonly createTimeMicros: number;
  /** Null, as the next: its state is not being built. */
  readonly buildFrom: number | null;
  readonly buildNext: number | null;
}

export function toStoredTopic(row: TopicRow): StoredTopic {
  const { name, labels, recordBytes, batchRecords, batchBytes, createTimeMicros, buildFrom, buildNext, ...rest } = row;
  const { retentionAgeMs, retentionRecords, retentionBytes, ...head } = rest;
  return {
    name,
    // JSON.parse gives even `__proto__` as a key of its own, and so does Object.entries.
    labels: new Map(Object.entries(labels)),
    limits: { recordBytes, batchRecords, batchBytes },
    retention: { ageMs: retentionAgeMs, records: retentionRecords, bytes: retentionBytes },
    createTimeMicros,
    head,
    stateBuild: buildFrom === null || buildNext === null ? undefined : toBuild(buildFrom, buildNext, head),
  };
}

/** It comes down to what is kept, which may have moved above where it is by now. */
function toBuild(fromOffset: number, nextOffset: number, { earliestOffset }: Head): StateBuild {
  return { fromOffset, nextOffset, untilOffset: Math.min(earliestOffset, nextOffset) };
}

/** Labels as JSON; a Map's `__proto__` stays a key. */
export function encodeLabels(labels: ReadonlyMap<string, string>): string {
  return JSON.stringify(Object.fromEntries(labels));
}
