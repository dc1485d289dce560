import { type RawBuilder, sql } from "kysely";

/**
 * A binary search over a topic's blocks, as a recursive part of a query that begins with `with recursive`. A million
 * records take about twelve probes of `blocks_pkey`. `low` and `high` are offsets. `passes` is true for the blocks `b`
 * below the wanted one and false from it on. The result is the last step's `low`: it is the first offset of the first
 * block that does not pass, or the end of the log where all pass. The query around it calls the head `head`.
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
  -- A hole, which only foreign writes can make, ends the search.
  where search.low < search.high and probe.next_offset > search.low
)`;
}
