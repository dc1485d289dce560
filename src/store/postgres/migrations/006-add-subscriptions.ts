import type { Migration } from "./migration.js";

/**
 * Subscriptions: what each has yet to settle (`claims`), which session holds it (`sessions`, `members`), what is to be
 * redelivered (`retries`), and what was parked (`parked`). `subscription_id` leads every key, and could be the distribution
 * column of them all, except for `sessions`, which has a row for each node. No foreign keys: claims are updated all the time.
 */
export const addSubscriptions: Migration = {
  number: 6,
  name: "add-subscriptions",
  checksum: "20a5e37ab6b9369baa8fec14df4e4dfa59ef7f9ee6e6ec4a99992db66c12ead5",
  statements: [
    `create table millrace.subscriptions (
  subscription_id bigint generated always as identity primary key,
  name text collate "C" not null unique,
  topic_id bigint not null,
  epoch bigint not null,
  sharing text not null,
  ack_deadline_ms bigint not null,
  attempts_max bigint not null,
  retry_min_ms bigint not null,
  retry_max_ms bigint not null,
  retry_backlog bigint not null,
  labels jsonb not null default '{}',
  paused boolean not null default false,
  generation bigint not null default 1,
  ticket bigint not null default 0,
  created_at timestamptz not null default clock_timestamp()
)`,
    `create unique index subscriptions_topic on millrace.subscriptions (topic_id, name)`,
    // No index on columns that acknowledgements and sessions change: their updates stay on the page (heap-only). Claims of
    // up to hundreds of ranges stay in the row.
    `create table millrace.claims (
  subscription_id bigint not null,
  claim_id bigint generated always as identity,
  kind text not null,
  slot int not null default 0,
  todo int8multirange not null,
  session bigint,
  primary key (subscription_id, claim_id)
) with (fillfactor = 20, toast_tuple_target = 8160,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,
    // Larger ones are not compressed: a claim of thousands of ranges is then written three times as fast.
    `alter table millrace.claims alter column todo set storage external`,
    // One for each SHARED subscription: the claim that blocks are cut off.
    `create unique index claims_rest on millrace.claims (subscription_id) where kind = 'rest'`,
    `create table millrace.sessions (
  session bigint primary key,
  node text not null,
  expires_at timestamptz not null
) with (fillfactor = 50)`,
    `create table millrace.members (
  subscription_id bigint not null,
  session bigint not null,
  consumers int not null,
  facts text not null,
  primary key (subscription_id, session)
) with (fillfactor = 50)`,
    `create index members_session on millrace.members (session)`,
    `create table millrace.retries (
  subscription_id bigint not null,
  "offset" bigint not null,
  claim_id bigint not null,
  deliveries int not null,
  failures int not null,
  retry_time bigint not null,
  lane bigint,
  reasons text[] not null default '{}',
  frame bytea,
  primary key (subscription_id, "offset")
) with (fillfactor = 80)`,
    // A record's claim does not change, so updates of later attempts are heap-only too.
    `create index retries_claim on millrace.retries (subscription_id, claim_id)`,
    `create table millrace.parked (
  subscription_id bigint not null,
  "offset" bigint not null,
  parked_time bigint not null,
  deliveries int not null,
  slot int not null,
  lane bigint,
  reasons text[] not null,
  frame bytea not null,
  primary key (subscription_id, "offset")
)`,
    `do $$
begin
  alter table millrace.retries alter column frame set compression lz4;
  alter table millrace.parked alter column frame set compression lz4;
exception when feature_not_supported then
  alter table millrace.retries alter column frame set storage external;
  alter table millrace.parked alter column frame set storage external;
end
$$`,
  ],
};
