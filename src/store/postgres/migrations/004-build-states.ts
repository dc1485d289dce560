import type { Migration } from "./migration.js";

/**
 * For topics that are turned keyed later: how far the building of their state is. For the lifetime of tombstones: when each
 * was made, to find old ones, and from which offset on a topic has all its tombstones. That stands beside the head, so that
 * a page of changes is compared with it in one snapshot.
 */
export const buildStates: Migration = {
  number: 4,
  name: "build-states",
  checksum: "4f0c4357f013903a2e1886fc8d40246911cf8831c46358e8dab0afc4e7e77d75",
  statements: [
    `alter table millrace.topic_heads add column tombstones_from bigint not null default 0`,
    // A row for each topic whose state is not complete yet, and no other rows.
    `create table millrace.state_builds (
  topic_id bigint primary key,
  from_offset bigint not null,
  next_offset bigint not null
)`,
    `alter table millrace.latest add column removed_time bigint`,
    // Existing tombstones have the time in their frames: the seconds since 1970 begin 20 bytes before the end, the
    // nanoseconds 14, both as five bytes of seven bits, the lowest first.
    `update millrace.latest
set removed_time = (
  select (sum((get_byte(frame, octet_length(frame) - 20 + i) & 127)::bigint << (7 * i)) * 1000000
    + div(sum((get_byte(frame, octet_length(frame) - 14 + i) & 127)::bigint << (7 * i)), 1000))::bigint
  from generate_series(0, 4) as i)
where is_tombstone`,
    // Only tombstones are in it: other changes of a state pay nothing for it.
    `create index latest_removed on millrace.latest (removed_time, topic_id) where removed_time is not null`,
  ],
};
