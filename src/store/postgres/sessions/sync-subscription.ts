import { sql } from "kysely";
import type { ClaimKind, SubscriptionSync } from "../../claim-store.js";
import type { Member } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { prepareStatement } from "../statement.js";
import {
  type SubscriptionRow,
  subscriptionColumns,
  subscriptionTables,
  toStoredSubscription,
} from "../subscriptions/stored-subscription.js";

interface SyncRow extends SubscriptionRow {
  readonly members: readonly Member[];
  readonly claims: readonly ClaimRow[];
}

interface ClaimRow {
  readonly claimId: number;
  readonly kind: ClaimKind;
  readonly slot: number;
  readonly session: number | null;
  readonly firstOffset: number;
}

/** How many claims one answer lists. */
const claimsMax = 1000;

/**
 * Writes this session's row if it changed. Reads the other sessions' rows, and all claims that matter to this session,
 * from one snapshot. A statement's snapshot does not have its own writes, so this session's facts are taken from the
 * call.
 *
 * Locks: the row of `members`, which only this session writes. A session that was ended is no member, and its claims
 * are free. Index: `subscriptions_pkey`, `topics_pkey`, `members_pkey`, `sessions_pkey`, `claims_pkey`.
 */
const syncMember = prepareStatement({
  name: "sync_subscription",
  values: { subscriptionId: "bigint", session: "bigint", consumers: "int", facts: "text", count: "bigint" },
  build: (value) => sql<SyncRow>`
with own as materialized (
  select s.subscription_id, alive.session, ${value.consumers} as consumers, ${value.facts} as facts
  from millrace.subscriptions as s cross join millrace.sessions as alive
  where s.subscription_id = ${value.subscriptionId} and alive.session = ${value.session}
), written as (
  insert into millrace.members (subscription_id, session, consumers, facts)
  select * from own where not exists (
    select from millrace.members as m
    where m.subscription_id = own.subscription_id and m.session = own.session
      and m.consumers = own.consumers and m.facts = own.facts)
  on conflict (subscription_id, session) do update set consumers = excluded.consumers, facts = excluded.facts
)
select ${subscriptionColumns}, coalesce((
    select json_agg(json_build_object('session', everyone.session, 'consumers', everyone.consumers,
      'facts', everyone.facts) order by everyone.session)
    from (
      select session, consumers, facts from own
      union all
      select m.session, m.consumers, m.facts
      from millrace.members as m join millrace.sessions as alive on alive.session = m.session
      where m.subscription_id = ${value.subscriptionId} and m.session <> ${value.session}
    ) as everyone
  ), '[]') as members, coalesce((
    select json_agg(json_build_object('claimId', listed.claim_id, 'kind', listed.kind, 'slot', listed.slot,
      'session', listed.holder, 'firstOffset', listed.first_offset) order by listed.claim_id)
    from (
      select c.claim_id, c.kind, c.slot, alive.session as holder, coalesce(lower(c.todo), 0) as first_offset
      from millrace.claims as c left join millrace.sessions as alive on alive.session = c.session
      where c.subscription_id = ${value.subscriptionId}
        and (c.kind <> 'block' or alive.session is null or alive.session = ${value.session})
      -- Claims that may be taken come first: a node may hold very many blocks.
      order by alive.session is not null and c.kind = 'block', c.claim_id
      limit ${value.count}
    ) as listed
  ), '[]') as claims
from ${subscriptionTables} where s.subscription_id = ${value.subscriptionId}`,
});

export async function syncSubscription(
  database: Database,
  subscriptionId: number,
  member: Member,
): Promise<SubscriptionSync | undefined> {
  const { session, consumers, facts } = member;
  const [row] = await database.run(syncMember, { subscriptionId, session, consumers, facts, count: claimsMax });
  if (row === undefined) return undefined;
  return {
    subscription: toStoredSubscription(row),
    members: row.members,
    claims: row.claims.map((claim) => ({ ...claim, session: claim.session ?? undefined })),
  };
}
