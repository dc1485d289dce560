/**
 * Merging: runs of small blocks become full ones, and readers see no change. A topic that was published to one record
 * at a time is then read as fast, and is as dense, as one that was published to in bulk.
 *
 * A step has two transactions, each under the topic's upkeep. So two merges, or a merge and a deletion, never change
 * the same rows (blocks.md, rule 7):
 *
 * 1. It chooses a run, folds the producers of its blocks, and raises the head's `merged_to` to its end. Appends wait a
 *    moment for the head's row. After this commit no append may expect an offset below `merged_to`, where an old
 *    snapshot may show a block that is already merged (blocks.md, rule 2).
 * 2. It merges the run, without locking the head. Readers see all old blocks or all new ones.
 *
 * If a node dies between the two, the blocks of the run stay small. Nothing else is lost.
 */

import { sql } from "kysely";
import type { MergeOutcome, MergeStep, UnmergedRead, UnmergedRequest } from "../../upkeep-store.js";
import type { Database, Connection } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import type { LogShape } from "../log-shape.js";
import { foldProducers } from "../log/fold-producers.js";
import { lockUpkeep } from "./lock-upkeep.js";

interface BlockSize {
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly bytes: number;
}

/**
 * The blocks after the last merge, up to the size of a step: never one with a trimmed record. No locks: the caller has
 * the topic's upkeep. Index: `topic_heads_pkey`, `blocks_pkey`.
 */
const selectBlocks = prepareStatement({
  name: "merge_blocks_choose",
  values: { topicId: "bigint", blocks: "bigint" },
  build: (value) => sql<BlockSize>`
select b.first_offset as "firstOffset", b.next_offset as "nextOffset", octet_length(b.frames) as bytes
from millrace.topic_heads as h cross join lateral (
  select b.first_offset, b.next_offset, b.frames from millrace.blocks as b
  where b.topic_id = ${value.topicId} and b.first_offset >= greatest(h.front, h.merged_to, h.earliest_offset)
  order by b.first_offset limit ${value.blocks}
) as b
where h.topic_id = ${value.topicId}
order by b.first_offset`,
});

/** Locks: the head's row, until the commit. Index: `topic_heads_pkey`. */
export const raiseMergedTo = prepareStatement({
  name: "raise_merged_to",
  values: { topicId: "bigint", mergedTo: "bigint" },
  build: (value) =>
    tables
      .updateTable("topic_heads")
      .set({ merged_to: value.mergedTo })
      .where("topic_id", "=", value.topicId)
      .where("merged_to", "<", value.mergedTo)
      .returning("topic_id as topicId"),
});

/**
 * Merges, for each range, the blocks that begin in it. A range is left unchanged if blocks are missing or not
 * contiguous.
 * Locks: the blocks' rows, which nobody else writes while the upkeep is locked. Index: `topic_heads_pkey`,
 * `blocks_pkey`.
 */
const mergeRanges = prepareStatement({
  name: "merge_blocks",
  values: { topicId: "bigint", firsts: "bigint[]", nexts: "bigint[]" },
  build: (value) => sql<{ merged: number }>`
with range as materialized (
  select * from unnest(${value.firsts}, ${value.nexts}) as range (first_offset, next_offset)
), whole as materialized (
  select range.first_offset, range.next_offset
  from range cross join millrace.topic_heads as h cross join lateral (
    select count(*) as blocks, sum(b.next_offset - b.first_offset) as records, min(b.first_offset) as first_offset,
      max(b.next_offset) as next_offset
    from millrace.blocks as b
    where b.topic_id = ${value.topicId} and b.first_offset >= range.first_offset and b.first_offset < range.next_offset
  ) as found
  where h.topic_id = ${value.topicId} and range.first_offset >= h.earliest_offset and found.blocks > 1
    and found.first_offset = range.first_offset and found.next_offset = range.next_offset
    and found.records = range.next_offset - range.first_offset
), gone as (
  delete from millrace.blocks as b using whole
  where b.topic_id = ${value.topicId} and b.first_offset >= whole.first_offset and b.first_offset < whole.next_offset
  returning whole.first_offset as range_offset, b.first_offset, b.next_offset, b.end_bytes, b.last_time, b.frames
), merged as (
  insert into millrace.blocks (topic_id, first_offset, next_offset, end_bytes, last_time, frames)
  select ${value.topicId}, range_offset, max(next_offset), max(end_bytes), max(last_time),
    string_agg(frames, '' order by first_offset)
  from gone group by range_offset
  returning 1
)
select count(*) as merged from merged`,
});

/** One step for a topic. Any number of nodes may call it at once. */
export async function mergeBlocks(
  database: Database,
  { blockBytes, producerWindow }: LogShape,
  step: MergeStep,
): Promise<MergeOutcome> {
  const { topicId, blocks, bytes } = step;
  const chosen = await database.transaction(async (connection) => {
    if (!(await lockUpkeep(connection, topicId))) return "elsewhere";
    const found = await connection.run(selectBlocks, { topicId, blocks });
    const choice = chooseRanges(found, blockBytes, bytes);
    if (choice.mergedTo === undefined) return "nothing";
    await foldProducers(connection, { topicId, below: choice.mergedTo }, producerWindow);
    const raised = await connection.run(raiseMergedTo, { topicId, mergedTo: choice.mergedTo });
    return raised.length === 0 ? "nothing" : choice.ranges;
  });
  if (typeof chosen === "string") return { kind: chosen, merged: 0 };
  const merged =
    chosen.length === 0 ? 0 : await database.transaction((connection) => merge(connection, topicId, chosen));
  return { kind: "merged", merged };
}

async function merge(connection: Connection, topicId: number, ranges: readonly BlockRange[]): Promise<number> {
  if (!(await lockUpkeep(connection, topicId))) return 0;
  const [row] = await connection.run(mergeRanges, {
    topicId,
    firsts: `{${ranges.map(({ firstOffset }) => firstOffset).join(",")}}`,
    nexts: `{${ranges.map(({ nextOffset }) => nextOffset).join(",")}}`,
  });
  return row?.merged ?? 0;
}

interface BlockRange {
  readonly firstOffset: number;
  readonly nextOffset: number;
}

/**
 * Groups neighbours that fit into one block. The last group is left for later, since blocks to come may still fill it:
 * so each record is merged once. `mergedTo` undefined: no group is full.
 */
function chooseRanges(
  blocks: readonly BlockSize[],
  blockBytes: number,
  bytesMax: number,
): { readonly ranges: readonly BlockRange[]; readonly mergedTo: number | undefined } {
  const ranges: BlockRange[] = [];
  let mergedTo: number | undefined;
  let first = 0;
  let groupBytes = 0;
  let total = 0;
  for (const [index, block] of blocks.entries()) {
    if (index > first && groupBytes + block.bytes > blockBytes) {
      // The step is large enough.
      if (total >= bytesMax) break;
      mergedTo = block.firstOffset;
      if (index > first + 1) {
        ranges.push({ firstOffset: (blocks[first] as BlockSize).firstOffset, nextOffset: block.firstOffset });
        total += groupBytes;
      }
      first = index;
      groupBytes = 0;
    }
    groupBytes += block.bytes;
  }
  return { ranges, mergedTo };
}

/**
 * A page of all topics, by id, and whether each has `blocks` or more unmerged blocks. No locks. Index:
 * `topic_heads_pkey`, and up to `blocks` entries of `blocks_pkey` for each topic.
 */
const selectUnmerged = prepareStatement({
  name: "find_unmerged",
  values: { after: "bigint", count: "bigint", blocks: "bigint" },
  build: (value) => sql<{ topicId: number; isMany: boolean }>`
select h.topic_id as "topicId", (
    select count(*) >= ${value.blocks} from (
      select 1 from millrace.blocks as b
      where b.topic_id = h.topic_id and b.first_offset >= greatest(h.front, h.merged_to, h.earliest_offset)
      limit ${value.blocks}
    ) as unmerged
  ) as "isMany"
from millrace.topic_heads as h where h.topic_id > ${value.after}
order by h.topic_id limit ${value.count}`,
});

export async function findUnmerged(database: Database, request: UnmergedRequest): Promise<UnmergedRead> {
  const rows = await database.run(selectUnmerged, request);
  return {
    topicIds: rows.filter(({ isMany }) => isMany).map(({ topicId }) => topicId),
    after: rows.length < request.count ? undefined : rows.at(-1)?.topicId,
  };
}
