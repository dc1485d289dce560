import type { Migration } from "./migration.js";

/**
 * Topics, heads, records, producers, and the rows to be deleted later. `topic_id` leads every key, and could be the
 * distribution column of them all. No foreign key points at `topic_heads`: every commit updates it.
 */
export const createTables: Migration = {
  number: 1,
  name: "create-tables",
  checksum: "850e4f9e7ca7ce99a627353a99276087c24b5cc21cc02a13eefd32c9fbba8281",
  statements: [
    `create table millrace.topics (
  topic_id bigint generated always as identity primary key,
  name text collate "C" not null unique,
  labels jsonb not null default '{}',
  record_bytes bigint not null default 0,
  batch_records bigint not null default 0,
  batch_bytes bigint not null default 0,
  auto_created boolean not null default false,
  created_at timestamptz not null default clock_timestamp()
)`,
    `create index topics_auto_created on millrace.topics (topic_id) where auto_created`,
    // Rows fill 20 % of a page: the old versions that commits leave stay on it (heap-only updates), and are pruned there.
    `create table millrace.topic_heads (
  topic_id bigint primary key,
  epoch bigint not null,
  version bigint not null default 0,
  earliest_offset bigint not null default 0,
  next_offset bigint not null default 0,
  earliest_bytes bigint not null default 0,
  next_bytes bigint not null default 0,
  last_time bigint not null default 0,
  closed boolean not null default false
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,
    // Frames up to 8 KiB stay in the row. Larger ones are compressed by lz4 where the server has it.
    `create table millrace.records (
  topic_id bigint not null,
  "offset" bigint not null,
  end_bytes bigint not null,
  frame bytea not null,
  primary key (topic_id, "offset")
) with (toast_tuple_target = 8160)`,
    `do $$
begin
  alter table millrace.records alter column frame set compression lz4;
exception when feature_not_supported then
  alter table millrace.records alter column frame set storage external;
end
$$`,
    // No index on updated_at: with it, updates of a producer's row would not be heap-only, at a cost to every commit.
    `create table millrace.producers (
  topic_id bigint not null,
  producer_id text collate "C" not null,
  generation bigint not null,
  next_sequence bigint not null,
  recent bigint[] not null,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (topic_id, producer_id)
) with (fillfactor = 50)`,
    `create table millrace.removals (
  topic_id bigint primary key,
  from_offset bigint not null,
  to_offset bigint not null,
  whole_topic boolean not null default false
)`,
    `create index removals_whole_topic on millrace.removals (topic_id) where whole_topic`,
  ],
};
