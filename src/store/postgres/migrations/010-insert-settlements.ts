import type { Migration } from "./migration.js";

/**
 * Settled offsets of a claim are inserted, and folded into its row from time to time: a row that every acknowledgement
 * updates slows all of them down while a snapshot is held. `folded_to` is the last settlement that is folded.
 */
export const insertSettlements: Migration = {
  number: 10,
  name: "insert-settlements",
  checksum: "4b47b825833b56005a7a990f2f5d6dd04cf644d5c95eac65336d522564380818",
  statements: [
    `alter table millrace.claims add column folded_to bigint not null default 0`,
    `create table millrace.settlements (
  subscription_id bigint not null,
  claim_id bigint not null,
  settlement_id bigint generated always as identity,
  settled int8multirange not null,
  primary key (subscription_id, claim_id, settlement_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,
  ],
};
