import { sql } from "kysely";
import { MillraceError, RangeSet, type OffsetRange } from "../../../core/index.js";
import type { CommitClaim, CommitOutcome, CommitTopic, CommitWrite } from "../../claim-store.js";
import type { AppendWrite } from "../../log-store.js";
import type { Head } from "../../topic-store.js";
import type { Database, Session } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
import { prepareStatement } from "../statement.js";
import { append } from "../log/append-blocks.js";
import { readHeads } from "../topics/read-heads.js";
import { decodeRanges, encodeRanges, encodeRangesArray, rangesOf } from "./offset-ranges.js";
import { encodeBuckets } from "./retry-buckets.js";
import { settleClaims } from "./settle-claims.js";
import { foldSettlements } from "./settlements.js";

/**
 * Locks the claims of a session that may have some offsets, each in the slot of its key. Locks: the claims' rows, by id.
 * Index: `claims_pkey`.
 */
const lockClaims = prepareStatement({
  name: "commit_claims",
  values: { subscriptionId: "bigint", session: "bigint", slots: "int[]", ranges: "int8multirange[]" },
  build: (value) => sql<{ claimId: number }>`
select c.claim_id as "claimId"
from millrace.claims as c
  join unnest(${value.slots}, ${value.ranges}) as asked (slot, ranges) on asked.slot = c.slot
where c.subscription_id = ${value.subscriptionId} and c.session = ${value.session} and c.todo && asked.ranges
order by c.claim_id
for update of c`,
});

interface DeliveriesRow {
  readonly attemptsBefore: number;
  readonly claimId: number | null;
  readonly offsets: string | null;
  readonly deliveries: number | null;
}

/**
 * What is added to the subscription's attempts, and how many attempts are over at those records that were handed out before;
 * one row without offsets where none was.
 *
 * Runs after the lock, so that it sees what the lock waited for. No locks of its own: rows of `retries` are only written
 * under that of their claim. `attempts_before` is that of the claims' generation: a seek raises it in the transaction that
 * deletes all claims, and for that it needs the locks that are held here. One that committed before has deleted the claims;
 * then none is held, and everything is stale. One that waits is not seen.
 * Index: `subscriptions_pkey`, `retries_pkey`.
 */
const selectDeliveries = prepareStatement({
  name: "commit_deliveries",
  values: { subscriptionId: "bigint", claimIds: "bigint[]", buckets: "bigint[]", offsets: "int8multirange" },
  build: (value) => sql<DeliveriesRow>`
select s.attempts_before as "attemptsBefore", r.claim_id as "claimId", (r.offsets * ${value.offsets})::text as offsets,
  r.deliveries
from millrace.subscriptions as s
  left join millrace.retries as r on r.subscription_id = ${value.subscriptionId}
    and r.claim_id = any(${value.claimIds}) and r.bucket = any(${value.buckets}) and r.offsets && ${value.offsets}
where s.subscription_id = ${value.subscriptionId}`,
});

/** Locks: rows of heads, by topic, against every append; behind all claims. Index: `topic_heads_pkey`. */
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
export async function commit(database: Database, shape: LogShape, write: CommitWrite): Promise<CommitOutcome> {
  const found = await database.transaction((session) => commitIn(session, shape, write));
  if (found.kind === "refused") throw found.error;
  return found;
}

async function commitIn(session: Session, shape: LogShape, commitment: CommitWrite): Promise<Found> {
  const { topics, ...claim } = commitment;
  const { subscriptionId } = claim;
  const held = await lockHeld(session, claim);
  const known = await readDeliveries(session, claim, [...held.keys()]);
  const stale = findStale(claim, [...held.values()], known);
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

  const settled = new Map(
    [...held].map(([claimId, { present }]) => {
      const settledRetries = known.retries.get(claimId) ?? [];
      return [claimId, { settled: present, settledRetries, retries: [] }];
    }),
  );
  await settleClaims(session, { subscriptionId, session: claim.session, folds: true }, settled);
  for (const write of writes) {
    if ((await append(session, shape, write)) === "moved") {
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
  const claims = await foldSettlements(
    session,
    claim.subscriptionId,
    rows.map(({ claimId }) => claimId),
  );
  return new Map(
    claims.map(({ claimId, slot, todo }) => [claimId, { slot, present: rangesWithin(bySlot.get(slot) ?? [], todo) }]),
  );
}

/** Those of some single offsets that are in some ranges. */
function rangesWithin(asked: readonly OffsetRange[], ranges: readonly OffsetRange[]): readonly OffsetRange[] {
  const todo = new RangeSet(ranges);
  return asked.filter(({ firstOffset }) => todo.has(firstOffset));
}

/** What `retries` has of the records. */
interface Deliveries {
  readonly attemptsBefore: number;
  /** By offset. */
  readonly deliveries: ReadonlyMap<number, number>;
  /** By claim. */
  readonly retries: ReadonlyMap<number, readonly OffsetRange[]>;
}

async function readDeliveries(
  session: Session,
  { subscriptionId, records }: CommitClaim,
  claimIds: readonly number[],
): Promise<Deliveries> {
  const offsets = records.map(({ offset }) => offset);
  const rows = await session.run(selectDeliveries, {
    subscriptionId,
    claimIds: `{${claimIds.join(",")}}`,
    buckets: encodeBuckets(offsets),
    offsets: encodeRanges(rangesOf(offsets)),
  });
  const deliveries = new Map<number, number>();
  const retries = new Map<number, OffsetRange[]>();
  for (const row of rows) {
    if (row.claimId === null) continue;
    const ranges = decodeRanges(row.offsets ?? "{}");
    retries.set(row.claimId, [...(retries.get(row.claimId) ?? []), ...ranges]);
    for (const { firstOffset, nextOffset } of ranges) {
      for (let offset = firstOffset; offset < nextOffset; offset++) {
        deliveries.set(offset, Math.max(deliveries.get(offset) ?? 0, row.deliveries ?? 0));
      }
    }
  }
  return { attemptsBefore: rows[0]?.attemptsBefore ?? 0, deliveries, retries };
}

/** Those that no claim has in their slot, or that are at another attempt. */
function findStale(
  { records }: CommitClaim,
  held: readonly Held[],
  { attemptsBefore, deliveries }: Deliveries,
): readonly number[] {
  const bySlot = new Map<number, RangeSet>();
  for (const { slot, present } of held) {
    const offsets = bySlot.get(slot) ?? new RangeSet();
    bySlot.set(slot, offsets);
    for (const { firstOffset, nextOffset } of present) offsets.add(firstOffset, nextOffset);
  }
  return records
    .filter(({ offset, slot, attempt }) => {
      const isHeld = bySlot.get(slot)?.has(offset) === true;
      const current = attemptsBefore + (deliveries.get(offset) ?? 0) + 1;
      return !isHeld || (attempt !== 0 && attempt !== current);
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
