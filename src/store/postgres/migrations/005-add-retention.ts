import type { Migration } from "./migration.js";

/**
 * Retention: how much of its log each topic keeps. And lifetimes of records: whether a topic has any with one, which
 * stands beside the head, so that only then are pages looked through; and until when a record is part of a state.
 */
export const addRetention: Migration = {
  number: 5,
  name: "add-retention",
  checksum: "d25ffe49ee44703fdf5d8dc63953dc7beb9c4e4c1d7e27b277bcff45206deb80",
  statements: [
    `alter table millrace.topics
  add column retention_age_ms bigint not null default 0,
  add column retention_records bigint not null default 0,
  add column retention_bytes bigint not null default 0`,
    // Those that are looked at every few seconds.
    `create index topics_retained on millrace.topics (topic_id)
  where retention_age_ms > 0 or retention_records > 0 or retention_bytes > 0`,
    `alter table millrace.topic_heads add column expiring boolean not null default false`,
    // An append leaves the column as it is, or sets it once: its update stays heap-only.
    `create index topic_heads_expiring on millrace.topic_heads (topic_id) where expiring`,
    `alter table millrace.latest add column expire_time bigint`,
    // Only records with a lifetime are in it: other changes of a state pay nothing for it.
    `create index latest_expiring on millrace.latest (expire_time) where expire_time is not null`,
  ],
};
