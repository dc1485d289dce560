import type { Migration } from "./migration.js";

/**
 * Keyed topics, and the latest record of each of their keys. `keyed` stands beside the head, since every commit depends on
 * it. The state outlives the log's retention, so it has frames of its own.
 */
export const addState: Migration = {
  number: 2,
  name: "add-state",
  checksum: "2b8f42bf31179e48ae2009590174b77d48f23cd18716859177c09f9cc0b66947",
  statements: [
    `alter table millrace.topic_heads add column keyed boolean not null default false`,
    // Room for versions of keys that change often; frames as in `records`.
    `create table millrace.latest (
  topic_id bigint not null,
  key text collate "C" not null,
  "offset" bigint not null,
  is_tombstone boolean not null,
  frame bytea not null,
  primary key (topic_id, key)
) with (toast_tuple_target = 8160, fillfactor = 80)`,
    `do $$
begin
  alter table millrace.latest alter column frame set compression lz4;
exception when feature_not_supported then
  alter table millrace.latest alter column frame set storage external;
end
$$`,
    // A watch reads the state in the order of its changes.
    `create unique index latest_offset on millrace.latest (topic_id, "offset")`,
  ],
};
