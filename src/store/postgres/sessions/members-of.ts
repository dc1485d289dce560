import { type RawBuilder, sql } from "kysely";

/**
 * The members of a subscription whose session was not ended, as JSON. Numbers below 2^53 survive JSON.
 * Index: `members_pkey`, `sessions_pkey`.
 */
export function membersOf(subscriptionId: RawBuilder<number>): RawBuilder<unknown> {
  return sql`coalesce((
    select json_agg(json_build_object('session', m.session, 'consumers', m.consumers, 'facts', m.facts)
      order by m.session)
    from millrace.members as m join millrace.sessions as alive on alive.session = m.session
    where m.subscription_id = ${subscriptionId}
  ), '[]')`;
}
