-- The schema `millrace` after every migration, as the catalog tells it. Made by migrate.test.ts.

create table millrace.latest (
  "topic_id" bigint not null,
  "key" text collate "C" not null,
  "offset" bigint not null,
  "is_tombstone" boolean not null,
  "frame" bytea not null /* compression lz4, or storage external */,
  "latitude" double precision,
  "longitude" double precision,
  "cell" bigint,
  "removed_time" bigint,
  "expire_time" bigint
) with (toast_tuple_target=8160, fillfactor=80);
CREATE INDEX latest_cell ON millrace.latest USING btree (topic_id, cell) WHERE (cell IS NOT NULL);
CREATE INDEX latest_removed ON millrace.latest USING btree (removed_time, topic_id) WHERE (removed_time IS NOT NULL);
CREATE UNIQUE INDEX latest_offset ON millrace.latest USING btree (topic_id, "offset");
CREATE UNIQUE INDEX latest_pkey ON millrace.latest USING btree (topic_id, key);

create table millrace.migrations (
  "number" integer not null,
  "name" text not null,
  "checksum" text not null,
  "applied_at" timestamp with time zone not null default clock_timestamp()
);
CREATE UNIQUE INDEX migrations_pkey ON millrace.migrations USING btree (number);

create table millrace.producers (
  "topic_id" bigint not null,
  "producer_id" text collate "C" not null,
  "generation" bigint not null,
  "next_sequence" bigint not null,
  "recent" bigint[] not null,
  "updated_at" timestamp with time zone not null default clock_timestamp()
) with (fillfactor=50);
CREATE UNIQUE INDEX producers_pkey ON millrace.producers USING btree (topic_id, producer_id);

create table millrace.records (
  "topic_id" bigint not null,
  "offset" bigint not null,
  "end_bytes" bigint not null,
  "frame" bytea not null /* compression lz4, or storage external */
) with (toast_tuple_target=8160);
CREATE UNIQUE INDEX records_pkey ON millrace.records USING btree (topic_id, "offset");

create table millrace.removals (
  "topic_id" bigint not null,
  "from_offset" bigint not null,
  "to_offset" bigint not null,
  "whole_topic" boolean not null default false
);
CREATE INDEX removals_whole_topic ON millrace.removals USING btree (topic_id) WHERE whole_topic;
CREATE UNIQUE INDEX removals_pkey ON millrace.removals USING btree (topic_id);

create table millrace.state_builds (
  "topic_id" bigint not null,
  "from_offset" bigint not null,
  "next_offset" bigint not null
);
CREATE UNIQUE INDEX state_builds_pkey ON millrace.state_builds USING btree (topic_id);

create table millrace.topic_heads (
  "topic_id" bigint not null,
  "epoch" bigint not null,
  "version" bigint not null default 0,
  "earliest_offset" bigint not null default 0,
  "next_offset" bigint not null default 0,
  "earliest_bytes" bigint not null default 0,
  "next_bytes" bigint not null default 0,
  "last_time" bigint not null default 0,
  "closed" boolean not null default false,
  "keyed" boolean not null default false,
  "tombstones_from" bigint not null default 0,
  "expiring" boolean not null default false
) with (fillfactor=20, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);
CREATE INDEX topic_heads_expiring ON millrace.topic_heads USING btree (topic_id) WHERE expiring;
CREATE UNIQUE INDEX topic_heads_pkey ON millrace.topic_heads USING btree (topic_id);

create table millrace.topics (
  "topic_id" bigint not null generated always as identity,
  "name" text collate "C" not null,
  "labels" jsonb not null default '{}'::jsonb,
  "record_bytes" bigint not null default 0,
  "batch_records" bigint not null default 0,
  "batch_bytes" bigint not null default 0,
  "auto_created" boolean not null default false,
  "created_at" timestamp with time zone not null default clock_timestamp(),
  "retention_age_ms" bigint not null default 0,
  "retention_records" bigint not null default 0,
  "retention_bytes" bigint not null default 0
);
CREATE INDEX topics_auto_created ON millrace.topics USING btree (topic_id) WHERE auto_created;
CREATE INDEX topics_retained ON millrace.topics USING btree (topic_id) WHERE ((retention_age_ms > 0) OR (retention_records > 0) OR (retention_bytes > 0));
CREATE UNIQUE INDEX topics_name_key ON millrace.topics USING btree (name);
CREATE UNIQUE INDEX topics_pkey ON millrace.topics USING btree (topic_id);
