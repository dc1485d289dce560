import type { Migration } from "./migration.js";

/**
 * Retention: how much of its log each topic keeps. Lifetimes of records: whether a topic has any, which stands beside the
 * head, so that only those topics' pages are searched for them; and until when a record is part of a state.
 */
export const addRetention: Migration = {
  number: 5,
  name: "add-retention",
  checksum: "35400212fb20e992fe1296f112cd81932b0ef2b54ab34423efb49193556a513d",
  statements: [
    `alter table millrace.topics
  add column retention_age_ms bigint not null default 0,
  add column retention_records bigint not null default 0,
  add column retention_bytes bigint not null default 0`,
    // The topics to check every few seconds.
    `create index topics_retained on millrace.topics (topic_id)
  where retention_age_ms > 0 or retention_records > 0 or retention_bytes > 0`,
    `alter table millrace.topic_heads add column expiring boolean not null default false`,
    // An append does not change the column, or sets it once: its update stays heap-only.
    `create index topic_heads_expiring on millrace.topic_heads (topic_id) where expiring`,
    `alter table millrace.latest add column expire_time bigint`,
  ],
};
