/** Audits rows of blocks without the store. */

import type pg from "pg";
import type { Head } from "../../src/store/index.js";
import type { RaceLog } from "./race-log.js";
import { splitFrames } from "./topic-writes.js";

/**
 * Checks what must hold in every snapshot, also while others write: blocks are contiguous, none is below `front`, and
 * `removals` has a row for every trimmed block.
 */
export async function findStray(pool: pg.Pool, topicId: number): Promise<void> {
  const { rows } = await pool.query(
    `select first_offset, next_offset, before, h.front, h.earliest_offset, note.from_offset, note.to_offset
from (
  select *, lag(next_offset) over (order by first_offset) as before from millrace.blocks where topic_id = ${topicId}
) as b join millrace.topic_heads as h on h.topic_id = b.topic_id
left join races.removals as note on note.topic_id = b.topic_id
where b.first_offset <> b.before or b.next_offset <= h.front or b.next_offset <= h.earliest_offset
  and (note.topic_id is null or note.from_offset > b.first_offset or note.to_offset < b.next_offset)`,
  );
  if (rows.length > 0) throw new Error(`Topic ${topicId} has stray blocks: ${JSON.stringify(rows)}`);
}

interface BlockRow {
  readonly first: number;
  readonly next: number;
  readonly end_bytes: number;
  readonly last_time: number;
  readonly frames: Buffer;
}

/** For when nobody is writing: no trimmed block is left, and each block matches what was acknowledged. */
export async function auditRows(pool: pg.Pool, log: RaceLog, head: Head): Promise<void> {
  const { topicId } = log;
  await findStray(pool, topicId);
  const { rows } = await pool.query(
    `select first_offset::float8 as first, next_offset::float8 as next, end_bytes::float8, last_time::float8, frames
from millrace.blocks where topic_id = ${topicId} order by first_offset`,
  );
  const blocks = rows as BlockRow[];
  const first = blocks[0]?.first ?? head.earliestOffset;
  const next = blocks.at(-1)?.next ?? head.earliestOffset;
  if (first > head.earliestOffset || next !== head.nextOffset) {
    const { earliestOffset, nextOffset } = head;
    throw new Error(
      `Topic ${topicId}: blocks are there from ${first} to ${next}, records ${earliestOffset} to ${nextOffset}`,
    );
  }
  for (const block of blocks) auditBlock(log, head, block);
}

function auditBlock(log: RaceLog, { earliestOffset }: Head, block: BlockRow): void {
  const { first, next, end_bytes: endBytes, last_time: lastTime, frames } = block;
  const name = `Topic ${log.topicId}: the block of ${first} to ${next}`;
  if (next <= earliestOffset) throw new Error(`${name} was trimmed before ${earliestOffset}, and stays`);
  const records = splitFrames(frames).map((frame) => log.sawFrame(frame));
  if (records.some(({ offset }, index) => offset !== first + index) || records.length !== next - first) {
    throw new Error(`${name} holds ${records.map(({ offset }) => offset).join()}`);
  }
  const last = records.at(-1);
  if (last?.endBytes !== endBytes || last.timeMicros !== lastTime) {
    throw new Error(`${name} ends with byte ${endBytes} at ${lastTime}`);
  }
}
