import type { Migration } from "./migration.js";

/**
 * The log as blocks: a row for about 20 KiB of consecutive frames, instead of one for each record. Records below
 * `earliest_offset`, and those of deleted topics, are not copied.
 *
 * First `records` and two columns of `topic_heads` are renamed. A running node of the version before then fails: it can
 * neither append after the copy nor trim or delete a topic during it. Then blocks are made in steps, in the order of
 * topics and offsets. The old table is dropped when all is copied.
 */
export const logAsBlocks: Migration = {
  number: 9,
  name: "log-as-blocks",
  checksum: "1955c456c843d8943bf068953e8c9c3c612824963e5f776280caa182d28e1e20",
  statements: [
    `alter table millrace.topic_heads rename column next_offset to former_next_offset`,
    `alter table millrace.topic_heads rename column next_bytes to former_next_bytes`,
    `alter table millrace.records rename to single_records`,
    `create table millrace.blocks (
  topic_id bigint not null,
  first_offset bigint not null,
  next_offset bigint not null,
  end_bytes bigint not null,
  last_time bigint not null,
  frames bytea not null,
  producers jsonb,
  primary key (topic_id, first_offset)
)`,
    // Compressed, and in the row while it fits on a page.
    `alter table millrace.blocks alter column frames set storage main`,
    `do $$
begin
  alter table millrace.blocks alter column frames set compression lz4;
exception when feature_not_supported then
  null;
end
$$`,
    `alter table millrace.topic_heads
  add column front bigint not null default 0,
  add column merged_to bigint not null default 0`,
    `alter table millrace.topic_heads set (fillfactor = 70)`,
    `update millrace.topic_heads
set front = earliest_offset, merged_to = former_next_offset,
  earliest_bytes = case when earliest_offset = former_next_offset then former_next_bytes else earliest_bytes end`,
    // Trimmed records, and the logs of deleted topics, are not copied: no record waits to be deleted.
    `delete from millrace.removals where not whole_topic`,
    `update millrace.removals set from_offset = to_offset`,
    // One row: all before `next_offset` of `topic_id` is copied. `done` and `total` count offsets.
    `create table millrace.migration_progress (
  number int primary key,
  topic_id bigint not null,
  next_offset bigint not null,
  next_bytes bigint not null,
  done bigint not null,
  total bigint not null,
  missing bigint not null,
  constraint no_record_is_missing check (missing = 0)
)`,
    `insert into millrace.migration_progress (number, topic_id, next_offset, next_bytes, done, total, missing)
select 9, 0, 0, 0, 0, coalesce(sum(former_next_offset - earliest_offset), 0), 0 from millrace.topic_heads`,
  ],
  steps: {
    // A step reads the next 1000 topics, and takes as many of them as have 20,000 records or 16 MiB together; the last one
    // may be taken in part. Each topic's running totals are one array. A block begins where the one before ends, and takes
    // records up to a total of 20 KiB: `width_bucket` finds the last of them by binary search.
    step: `
with recursive place as materialized (
  select topic_id, next_offset, next_bytes from millrace.migration_progress
), topics as materialized (
  select h.topic_id, h.former_next_offset as to_offset, h.former_next_bytes as to_bytes,
    case when h.topic_id = place.topic_id then place.next_offset else h.earliest_offset end as from_offset,
    case when h.topic_id = place.topic_id then place.next_bytes else h.earliest_bytes end as from_bytes
  from place cross join lateral (
    select * from millrace.topic_heads as head
    where head.topic_id >= place.topic_id
      and (head.topic_id > place.topic_id or head.former_next_offset > place.next_offset)
    order by head.topic_id limit 1000
  ) as h
), shares as materialized (
  select topic_id, from_offset, from_bytes, least(to_offset - from_offset, 20000 - records_before) as count
  from (
    select *,
      (sum(to_offset - from_offset) over earlier)::bigint - (to_offset - from_offset) as records_before,
      (sum(to_bytes - from_bytes) over earlier)::bigint - (to_bytes - from_bytes) as bytes_before
    from topics window earlier as (order by topic_id)
  ) as counted
  where records_before < 20000 and bytes_before < 16777216
), totals as materialized (
  select *, array(
    select end_bytes from millrace.single_records as r
    where r.topic_id = shares.topic_id
      and r."offset" >= shares.from_offset and r."offset" < shares.from_offset + shares.count
    order by r."offset" limit 20000) as ends
  from shares
), runs as materialized (
  select topic_id, from_offset, from_bytes, ends, count - cardinality(ends) as missing,
    least(cardinality(ends), greatest(1, width_bucket(from_bytes + 16777216, ends))) as count
  from totals
), cuts as (
  select topic_id, 0 as first, least(count, greatest(1, width_bucket(from_bytes + 20480, ends))) as next
  from runs where count > 0
  union all
  select r.topic_id, c.next, least(r.count, greatest(c.next + 1, width_bucket(r.ends[c.next] + 20480, r.ends)))
  from cuts as c join runs as r on r.topic_id = c.topic_id
  where c.next < r.count
), places as (
  select c.topic_id, r.from_offset + c.first as first_offset, r.from_offset + c.next as next_offset,
    r.ends[c.next] as end_bytes
  from cuts as c join runs as r on r.topic_id = c.topic_id
  order by c.topic_id, c.first
), written as (
  insert into millrace.blocks (topic_id, first_offset, next_offset, end_bytes, last_time, frames)
  select p.topic_id, p.first_offset, p.next_offset, p.end_bytes,
    -- The time in the last stamp: seconds 20 bytes before the end, nanoseconds 14, five bytes of seven bits, lowest first.
    ((get_byte(b.frames, octet_length(b.frames) - 20) & 127)::bigint
      + ((get_byte(b.frames, octet_length(b.frames) - 19) & 127)::bigint << 7)
      + ((get_byte(b.frames, octet_length(b.frames) - 18) & 127)::bigint << 14)
      + ((get_byte(b.frames, octet_length(b.frames) - 17) & 127)::bigint << 21)
      + ((get_byte(b.frames, octet_length(b.frames) - 16) & 127)::bigint << 28)) * 1000000
    + ((get_byte(b.frames, octet_length(b.frames) - 14) & 127)::bigint
      + ((get_byte(b.frames, octet_length(b.frames) - 13) & 127)::bigint << 7)
      + ((get_byte(b.frames, octet_length(b.frames) - 12) & 127)::bigint << 14)
      + ((get_byte(b.frames, octet_length(b.frames) - 11) & 127)::bigint << 21)
      + ((get_byte(b.frames, octet_length(b.frames) - 10) & 127)::bigint << 28)) / 1000,
    b.frames
  from places as p cross join lateral (
    select string_agg(frame, '') as frames from (
      select r.frame from millrace.single_records as r
      where r.topic_id = p.topic_id and r."offset" >= p.first_offset and r."offset" < p.next_offset
      order by r."offset" limit 20000
    ) as run
  ) as b
), moved as (
  update millrace.migration_progress as p
  set topic_id = last.topic_id, next_offset = last.from_offset + last.count,
    next_bytes = case when last.count = 0 then last.from_bytes else last.ends[last.count] end,
    done = p.done + sums.done, missing = last.missing
  from (select * from runs order by missing > 0 desc, topic_id desc limit 1) as last,
    (select sum(count) as done from runs) as sums
  returning p.done, p.total
)
select done, total, true as more from moved
union all
select done, total, false from millrace.migration_progress where not exists (select from moved)`,
    last: [
      `alter table millrace.migration_progress add constraint no_record_is_left check (done = total)`,
      `drop table millrace.single_records`,
      `drop table millrace.migration_progress`,
      `alter table millrace.topic_heads drop column former_next_offset, drop column former_next_bytes`,
    ],
  },
};
