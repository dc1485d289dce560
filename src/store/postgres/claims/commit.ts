import { sql } from "kysely";
import { MillraceError, RangeSet, type OffsetRange } from "../../../core/index.js";
import type { CommitClaim, CommitOutcome, CommitTopic, CommitWrite } from "../../claim-store.js";
import type { AppendWrite } from "../../log-store.js";
import type { Head } from "../../topic-store.js";
import type { Database, Connection } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
import { prepareStatement } from "../statement.js";
import { append } from "../log/append-blocks.js";
import { readHeads } from "../topics/read-heads.js";
import { decodeRanges, encodeRanges, encodeRangesArray, rangesOf } from "./offset-ranges.js";
import { encodeBuckets } from "./retry-buckets.js";
import { settleClaims } from "./settle-claims.js";
import { foldSettlements } from "./settlements.js";

/**
 * Locks the claims of a session that may have some offsets, by the slots of their keys. Locks: the claims' rows, by id.
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
 * The subscription's `attempts_before`, and the number of finished attempts of those records that were delivered
 * before. If there are none: one row without offsets.
 *
 * It runs after the lock of the claims, so it sees what the lock waited for. It takes no locks: rows of `retries` are
 * only written under their claim's lock. `attempts_before` matches the generation of the claims. A seek raises it in
 * the transaction that deletes all claims, and needs the claims' locks for that. If a seek committed before, its claims
 * are deleted, so this session holds none and every record is stale. A seek that waits for the locks has changed
 * nothing yet.
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

/** Locks: the heads' rows, by topic, against every append; after all claims. Index: `topic_heads_pkey`. */
const lockHeads = prepareStatement({
  name: "lock_heads",
  values: { topicIds: "bigint[]" },
  build: (value) => sql<object>`
select 1 from millrace.topic_heads where topic_id = any(${value.topicIds}) order by topic_id for no key update`,
});

/** What a transaction decided before it wrote anything. */
type Found = CommitOutcome | { readonly kind: "refused"; readonly error: unknown };

/**
 * Settles and appends in one transaction: locks claims by id, then heads by topic, and holds them until the commit. It
 * decides everything before its first write, so a refusal has nothing to undo.
 */
export async function commit(database: Database, shape: LogShape, write: CommitWrite): Promise<CommitOutcome> {
  const found = await database.transaction((connection) => commitIn(connection, shape, write));
  if (found.kind === "refused") throw found.error;
  return found;
}

async function commitIn(connection: Connection, shape: LogShape, commitment: CommitWrite): Promise<Found> {
  const { topics, ...claim } = commitment;
  const { subscriptionId } = claim;
  const held = await lockHeld(connection, claim);
  const known = await readDeliveries(connection, claim, [...held.keys()]);
  const stale = findStale(claim, [...held.values()], known);
  if (stale.length > 0) return { kind: "stale", offsets: stale };

  const heads = await lockAndReadHeads(connection, topics);
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
  await settleClaims(connection, { subscriptionId, session: claim.session, folds: true }, settled);
  for (const write of writes) {
    if ((await append(connection, shape, write)) === "moved") {
      throw new MillraceError("internal", `Cannot append to topic ${write.topicId}: its head changed under its lock`);
    }
  }
  return { kind: "committed" };
}

/** The acknowledged offsets that a claim has. */
interface Held {
  readonly slot: number;
  readonly present: readonly OffsetRange[];
}

async function lockHeld(connection: Connection, claim: CommitClaim): Promise<ReadonlyMap<number, Held>> {
  const bySlot = new Map<number, OffsetRange[]>();
  for (const { slot, offset } of claim.records) {
    const ranges = bySlot.get(slot) ?? [];
    bySlot.set(slot, ranges);
    ranges.push({ firstOffset: offset, nextOffset: offset + 1 });
  }
  const rows = await connection.run(lockClaims, {
    subscriptionId: claim.subscriptionId,
    session: claim.session,
    slots: `{${[...bySlot.keys()].join(",")}}`,
    ranges: encodeRangesArray([...bySlot.values()].map(encodeRanges)),
  });
  const claims = await foldSettlements(
    connection,
    claim.subscriptionId,
    rows.map(({ claimId }) => claimId),
  );
  return new Map(
    claims.map(({ claimId, slot, todo }) => [claimId, { slot, present: rangesWithin(bySlot.get(slot) ?? [], todo) }]),
  );
}

/** Those of the single offsets `asked` that are in `ranges`. */
function rangesWithin(asked: readonly OffsetRange[], ranges: readonly OffsetRange[]): readonly OffsetRange[] {
  const todo = new RangeSet(ranges);
  return asked.filter(({ firstOffset }) => todo.has(firstOffset));
}

/** The content of `retries` for the records. */
interface Deliveries {
  readonly attemptsBefore: number;
  /** By offset. */
  readonly deliveries: ReadonlyMap<number, number>;
  /** By claim. */
  readonly retries: ReadonlyMap<number, readonly OffsetRange[]>;
}

async function readDeliveries(
  connection: Connection,
  { subscriptionId, records }: CommitClaim,
  claimIds: readonly number[],
): Promise<Deliveries> {
  const offsets = records.map(({ offset }) => offset);
  const rows = await connection.run(selectDeliveries, {
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

/** The records that no claim has in their slot, or that are at another attempt. */
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

async function lockAndReadHeads(
  connection: Connection,
  topics: readonly CommitTopic[],
): Promise<ReadonlyMap<number, Head>> {
  if (topics.length === 0) return new Map();
  const topicIds = `{${topics.map(({ topicId }) => topicId).join(",")}}`;
  await connection.run(lockHeads, { topicIds });
  const heads = await readHeads(
    connection,
    topics.map(({ topicId }) => topicId),
  );
  return new Map(heads.map((head) => [head.topicId, head]));
}
