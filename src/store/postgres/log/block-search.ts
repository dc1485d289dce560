import { type RawBuilder, sql } from "kysely";

/**
 * A binary search over a topic's blocks, as a recursive part of a `with` that begins with `with recursive`: some twelve
 * probes of `blocks_pkey` for a million records. `low` and `high` are offsets; a block of `b` that passes stands below
 * the one that is looked for, and all before it do, too. Its last step has the answer: the first block that does not pass
 * has `low`, or there is none. The query around it calls the head `head`.
 */
export function blockSearch(parts: {
  readonly topicId: RawBuilder<unknown>;
  /** `select low, high …` */
  readonly range: RawBuilder<unknown>;
  readonly passes: RawBuilder<unknown>;
}): RawBuilder<unknown> {
  return sql`search (low, high) as (
  ${parts.range}
  union all
  select case when probe.passes then probe.next_offset else search.low end,
    case when probe.passes then search.high else probe.first_offset end
  from search cross join head cross join lateral (
    select b.first_offset, b.next_offset, ${parts.passes} as passes from millrace.blocks as b
    where b.topic_id = ${parts.topicId} and b.first_offset >= head.front
      and b.first_offset <= (search.low + search.high) / 2
    order by b.first_offset desc limit 1
  ) as probe
  -- A hole, which somebody else made, ends it.
  where search.low < search.high and probe.next_offset > search.low
)`;
}
