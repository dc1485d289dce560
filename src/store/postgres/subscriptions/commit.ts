import { sql } from "kysely";
import { MillraceError, RangeSet, type OffsetRange } from "../../../core/index.js";
import type { CommitClaim, CommitOutcome, CommitTopic } from "../../subscription-store.js";
import type { AppendWrite, Head } from "../../topic-store.js";
import type { Database, Session } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import { runAppend } from "../statements/append-records.js";
import { readHeads } from "../statements/read-heads.js";
import { decodeRanges, encodeRanges, encodeRangesArray, rangesOf } from "./offset-ranges.js";
import { settleClaims } from "./settle-claims.js";

interface HeldRow {
  readonly claimId: number;
  readonly slot: number;
  readonly present: string;
}

/**
 * Locks the claims of a session that have any of some offsets, each in the slot of its key, and tells which. A row that was
 * waited for is told as it is then. Locks: the claims' rows, by id. Index: `claims_pkey`.
 */
const lockClaims = prepareStatement({
  name: "commit_claims",
  values: { subscriptionId: "bigint", session: "bigint", slots: "int[]", ranges: "int8multirange[]" },
  build: (value) => sql<HeldRow>`
select c.claim_id as "claimId", c.slot, (c.todo * asked.ranges)::text as present
from millrace.claims as c
  join unnest(${value.slots}, ${value.ranges}) as asked (slot, ranges) on asked.slot = c.slot
where c.subscription_id = ${value.subscriptionId} and c.session = ${value.session} and c.todo && asked.ranges
order by c.claim_id
for update of c`,
});

/**
 * How often records were handed out before, of those that were. Runs after the lock, so that it sees what the lock waited
 * for. No locks of its own: these rows are only written under that of their claim. Index: `retries_pkey`.
 */
const selectDeliveries = prepareStatement({
  name: "commit_deliveries",
  values: { subscriptionId: "bigint", offsets: "bigint[]", claimIds: "bigint[]" },
  build: (value) => sql<{ offset: number; deliveries: number }>`
select "offset", deliveries from millrace.retries
where subscription_id = ${value.subscriptionId} and "offset" = any(${value.offsets})
  and claim_id = any(${value.claimIds})`,
});

/** Locks: rows of heads, by topic, as an append takes one; behind all claims. Index: `topic_heads_pkey`. */
const lockHeads = prepareStatement({
  name: "lock_heads",
  values: { topicIds: "bigint[]" },
  build: (value) => sql<object>`
select 1 from millrace.topic_heads where topic_id = any(${value.topicIds}) order by topic_id for no key update`,
});

/** What a transaction found, before it wrote anything. */
type Found = CommitOutcome | { readonly kind: "refused"; readonly error: unknown };

/**
 * Settles and appends in one transaction: claims by id, then heads by topic, each held until the commit. Everything is
 * looked at and decided before the first write, so what is refused has nothing to take back.
 */
export async function commit(
  database: Database,
  claim: CommitClaim,
  topics: readonly CommitTopic[],
): Promise<CommitOutcome> {
  const found = await database.transaction((session) => commitIn(session, claim, topics));
  if (found.kind === "refused") throw found.error;
  return found;
}

async function commitIn(session: Session, claim: CommitClaim, topics: readonly CommitTopic[]): Promise<Found> {
  const { subscriptionId } = claim;
  const held = await lockHeld(session, claim);
  const deliveries = await readDeliveries(session, claim, [...held.keys()]);
  const stale = findStale(claim, [...held.values()], deliveries);
  if (stale.length > 0) return { kind: "stale", offsets: stale };

  const heads = await lockAndReadHeads(session, topics);
  const writes: AppendWrite[] = [];
  for (const { topicId, decide } of topics) {
    const head = heads.get(topicId);
    if (head === undefined) return { kind: "topic-gone", topicId };
    try {
      writes.push(decide({ head, producers: [] }));
    } catch (error) {
      return { kind: "refused", error };
    }
  }

  const settled = new Map([...held].map(([claimId, { present }]) => [claimId, { settled: present, retries: [] }]));
  await settleClaims(session, { subscriptionId, session: claim.session }, settled, [...rangesOf(deliveries.keys())]);
  for (const write of writes) {
    if ((await runAppend(session, write)) === "moved") {
      throw new MillraceError(
        "internal",
        `The head of topic ${write.topicId} is not what was decided on under its lock`,
      );
    }
  }
  return { kind: "committed" };
}

/** Which of the acknowledged offsets a claim has. */
interface Held {
  readonly slot: number;
  readonly present: readonly OffsetRange[];
}

async function lockHeld(session: Session, claim: CommitClaim): Promise<ReadonlyMap<number, Held>> {
  const bySlot = new Map<number, OffsetRange[]>();
  for (const { slot, offset } of claim.records) {
    const ranges = bySlot.get(slot) ?? [];
    bySlot.set(slot, ranges);
    ranges.push({ firstOffset: offset, nextOffset: offset + 1 });
  }
  const rows = await session.run(lockClaims, {
    subscriptionId: claim.subscriptionId,
    session: claim.session,
    slots: `{${[...bySlot.keys()].join(",")}}`,
    ranges: encodeRangesArray([...bySlot.values()].map(encodeRanges)),
  });
  return new Map(rows.map((row) => [row.claimId, { slot: row.slot, present: decodeRanges(row.present) }]));
}

async function readDeliveries(
  session: Session,
  { subscriptionId, records }: CommitClaim,
  claimIds: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const rows = await session.run(selectDeliveries, {
    subscriptionId,
    offsets: `{${records.map(({ offset }) => offset).join(",")}}`,
    claimIds: `{${claimIds.join(",")}}`,
  });
  return new Map(rows.map((row) => [row.offset, row.deliveries]));
}

/** Those that no claim has in their slot, or that were handed out another number of times. */
function findStale(
  { records }: CommitClaim,
  held: readonly Held[],
  deliveries: ReadonlyMap<number, number>,
): readonly number[] {
  const bySlot = new Map<number, RangeSet>();
  for (const { slot, present } of held) {
    const offsets = bySlot.get(slot) ?? new RangeSet();
    bySlot.set(slot, offsets);
    for (const { firstOffset, nextOffset } of present) offsets.add(firstOffset, nextOffset);
  }
  return records
    .filter(({ offset, slot, deliveriesBefore }) => {
      const isHeld = bySlot.get(slot)?.has(offset) === true;
      return !isHeld || (deliveries.get(offset) ?? 0) !== deliveriesBefore;
    })
    .map(({ offset }) => offset);
}

async function lockAndReadHeads(session: Session, topics: readonly CommitTopic[]): Promise<ReadonlyMap<number, Head>> {
  if (topics.length === 0) return new Map();
  const topicIds = `{${topics.map(({ topicId }) => topicId).join(",")}}`;
  await session.run(lockHeads, { topicIds });
  const heads = await readHeads(
    session,
    topics.map(({ topicId }) => topicId),
  );
  return new Map(heads.map((head) => [head.topicId, head]));
}
