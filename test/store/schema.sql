-- The schema `millrace` after every migration, as the catalog tells it. Made by migrate.test.ts.

create table millrace.blocks (
  "topic_id" bigint not null,
  "first_offset" bigint not null,
  "next_offset" bigint not null,
  "end_bytes" bigint not null,
  "last_time" bigint not null,
  "frames" bytea not null /* storage main, compression lz4 where it is built */,
  "producers" jsonb
);
CREATE UNIQUE INDEX blocks_pkey ON millrace.blocks USING btree (topic_id, first_offset);

create table millrace.claims (
  "subscription_id" bigint not null,
  "claim_id" bigint not null generated always as identity,
  "kind" text not null,
  "slot" integer not null default 0,
  "todo" int8multirange not null,
  "session" bigint,
  "folded_to" bigint not null default 0
) with (fillfactor=20, toast_tuple_target=8160, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);
CREATE UNIQUE INDEX claims_pkey ON millrace.claims USING btree (subscription_id, claim_id);
CREATE UNIQUE INDEX claims_rest ON millrace.claims USING btree (subscription_id) WHERE (kind = 'rest'::text);

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

create table millrace.members (
  "subscription_id" bigint not null,
  "session" bigint not null,
  "consumers" integer not null,
  "facts" text not null
) with (fillfactor=50);
CREATE INDEX members_session ON millrace.members USING btree (session);
CREATE UNIQUE INDEX members_pkey ON millrace.members USING btree (subscription_id, session);

create table millrace.migrations (
  "number" integer not null,
  "name" text not null,
  "checksum" text not null,
  "applied_at" timestamp with time zone not null default clock_timestamp()
);
CREATE UNIQUE INDEX migrations_pkey ON millrace.migrations USING btree (number);

create table millrace.parked (
  "subscription_id" bigint not null,
  "offset" bigint not null,
  "parked_time" bigint not null,
  "deliveries" integer not null,
  "slot" integer not null,
  "lane" bigint,
  "reasons" text[] not null,
  "frame" bytea not null /* compression lz4, or storage external */
);
CREATE UNIQUE INDEX parked_pkey ON millrace.parked USING btree (subscription_id, "offset");

create table millrace.producers (
  "topic_id" bigint not null,
  "producer_id" text collate "C" not null,
  "generation" bigint not null,
  "next_sequence" bigint not null,
  "recent" bigint[] not null,
  "updated_at" timestamp with time zone not null default clock_timestamp()
) with (fillfactor=50);
CREATE UNIQUE INDEX producers_pkey ON millrace.producers USING btree (topic_id, producer_id);

create table millrace.removals (
  "topic_id" bigint not null,
  "from_offset" bigint not null,
  "to_offset" bigint not null,
  "whole_topic" boolean not null default false
);
CREATE INDEX removals_whole_topic ON millrace.removals USING btree (topic_id) WHERE whole_topic;
CREATE UNIQUE INDEX removals_pkey ON millrace.removals USING btree (topic_id);

create table millrace.retries (
  "subscription_id" bigint not null,
  "claim_id" bigint not null,
  "bucket" bigint not null,
  "retry_id" bigint not null generated always as identity,
  "offsets" int8multirange not null,
  "deliveries" integer not null,
  "failures" integer not null,
  "retry_time" bigint not null,
  "lanes" jsonb,
  "reasons" text[] not null default '{}'::text[],
  "frame" bytea /* compression lz4, or storage external */
) with (fillfactor=80);
CREATE UNIQUE INDEX retries_pkey ON millrace.retries USING btree (subscription_id, claim_id, bucket, retry_id);

create table millrace.sessions (
  "session" bigint not null,
  "node" text not null,
  "expires_at" timestamp with time zone not null
) with (fillfactor=50);
CREATE UNIQUE INDEX sessions_pkey ON millrace.sessions USING btree (session);

create table millrace.settlements (
  "subscription_id" bigint not null,
  "claim_id" bigint not null,
  "settlement_id" bigint not null generated always as identity,
  "settled" int8multirange not null
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);
CREATE UNIQUE INDEX settlements_pkey ON millrace.settlements USING btree (subscription_id, claim_id, settlement_id);

create table millrace.state_builds (
  "topic_id" bigint not null,
  "from_offset" bigint not null,
  "next_offset" bigint not null
);
CREATE UNIQUE INDEX state_builds_pkey ON millrace.state_builds USING btree (topic_id);

create table millrace.subscriptions (
  "subscription_id" bigint not null generated always as identity,
  "name" text collate "C" not null,
  "topic_id" bigint not null,
  "epoch" bigint not null,
  "sharing" text not null,
  "ack_deadline_ms" bigint not null,
  "attempts_max" bigint not null,
  "retry_min_ms" bigint not null,
  "retry_max_ms" bigint not null,
  "retry_backlog" bigint not null,
  "labels" jsonb not null default '{}'::jsonb,
  "paused" boolean not null default false,
  "generation" bigint not null default 1,
  "ticket" bigint not null default 0,
  "created_at" timestamp with time zone not null default clock_timestamp(),
  "attempts_before" integer not null default 0
);
CREATE UNIQUE INDEX subscriptions_name_key ON millrace.subscriptions USING btree (name);
CREATE UNIQUE INDEX subscriptions_pkey ON millrace.subscriptions USING btree (subscription_id);
CREATE UNIQUE INDEX subscriptions_topic ON millrace.subscriptions USING btree (topic_id, name);

create table millrace.topic_heads (
  "topic_id" bigint not null,
  "epoch" bigint not null,
  "version" bigint not null default 0,
  "earliest_offset" bigint not null default 0,
  "earliest_bytes" bigint not null default 0,
  "last_time" bigint not null default 0,
  "closed" boolean not null default false,
  "keyed" boolean not null default false,
  "tombstones_from" bigint not null default 0,
  "expiring" boolean not null default false,
  "front" bigint not null default 0,
  "merged_to" bigint not null default 0
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, fillfactor=70);
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
