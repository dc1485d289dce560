import type { Migration } from "./migration.js";

/**
 * Records that wait for redelivery: one row for those of a claim that wait in the same way, instead of one for each record.
 * A bucket is 256 offsets. Rows are found by their bucket, so removing settled offsets is a heap-only update.
 */
export const groupRetries: Migration = {
  number: 8,
  name: "group-retries",
  checksum: "142eb189b6384b6f5f66d4fd8cdf283267d18d67bce491c179c388be1b982435",
  statements: [
    `alter table millrace.retries rename to single_retries`,
    `alter table millrace.single_retries rename constraint retries_pkey to single_retries_pkey`,
    `create table millrace.retries (
  subscription_id bigint not null,
  claim_id bigint not null,
  bucket bigint not null,
  retry_id bigint generated always as identity,
  offsets int8multirange not null,
  deliveries int not null,
  failures int not null,
  retry_time bigint not null,
  lanes jsonb,
  reasons text[] not null default '{}',
  frame bytea,
  primary key (subscription_id, claim_id, bucket, retry_id)
) with (fillfactor = 80)`,
    // Up to 128 ranges, which fit in the row.
    `alter table millrace.retries alter column offsets set storage plain`,
    `do $$
begin
  alter table millrace.retries alter column frame set compression lz4;
exception when feature_not_supported then
  alter table millrace.retries alter column frame set storage external;
end
$$`,
    `insert into millrace.retries (subscription_id, claim_id, bucket, offsets, deliveries, failures, retry_time, lanes,
  reasons, frame)
select subscription_id, claim_id, "offset" / 256, int8multirange(int8range("offset", "offset" + 1)), deliveries,
  failures, retry_time, case when lane is not null then jsonb_build_object("offset", lane) end, reasons, frame
from millrace.single_retries`,
    `drop table millrace.single_retries`,
  ],
};
