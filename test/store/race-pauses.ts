/** Pauses for races: inside a statement, and between the statements of a transaction. */

import { openFaultProxy } from "../support/fault-proxy.js";
import { runOn } from "../support/database.js";
import type { Random } from "../support/soak.js";

/** For a statement without locks: nobody waits for it. */
const longMs = 250;
/** For a statement with locks: others wait for it. */
const shortMs = 25;

/**
 * Makes the statements of a database pause, by triggers and a view that the product does not know:
 *
 * - *Before a statement* writes to a table: it has its snapshot, but finds and locks its rows later. An append waits
 *   here with an old snapshot before it locks the head; so do a close, retention, and the raise of `front`.
 * - *Before a row* is inserted: the head is locked, and the block is about to be written.
 * - *After a statement*: its writes are not committed.
 * - `removals` becomes a view whose condition pauses: a statement that locks a row of it has an old snapshot too.
 *
 * A transaction that has locked a row has a transaction id. Long pauses are only for those without one.
 */
export async function pauseStatements(url: string): Promise<void> {
  const trigger = (when: string, table: string, each: "row" | "statement", chance: number) =>
    `create trigger ${when.split(" ").slice(0, 2).join("_")}_${each} ${when} on millrace.${table} for each ${each}
execute function races.pause_trigger(${chance})`;
  const statements = [
    // A commit then takes as long as its pauses, not as long as the disk.
    `alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = off`,
    "create schema races",
    `create function races.pause(chance float8, longest_ms float8) returns boolean language plpgsql volatile as $$
begin
  if random() < chance then perform pg_sleep(longest_ms * power(random(), 2) / 1000); end if;
  return true;
end $$`,
    `create function races.pause_trigger() returns trigger language plpgsql as $$
begin
  perform races.pause(tg_argv[0]::float8,
    case when pg_current_xact_id_if_assigned() is null then ${longMs} else ${shortMs} end);
  if tg_level = 'STATEMENT' then return null; end if;
  return new;
end $$`,
    trigger("before insert", "blocks", "statement", 0.4),
    trigger("before insert", "blocks", "row", 0.1),
    trigger("after insert", "blocks", "statement", 0.1),
    trigger("before delete", "blocks", "statement", 0.4),
    trigger("after delete", "blocks", "statement", 0.2),
    trigger("before update", "topic_heads", "statement", 0.3),
    trigger("after update", "topic_heads", "statement", 0.2),
    trigger("before insert", "removals", "statement", 0.2),
    trigger("after insert or update or delete", "removals", "statement", 0.2),
    "alter table millrace.removals set schema races",
    // After the lock of the topic's upkeep, which is skipped where it is locked.
    `create view millrace.removals as select * from races.removals where races.pause(0.25, ${longMs})`,
  ];
  for (const statement of statements) await runOn(url, statement);
}

/**
 * A slow connection between a node and its database: some messages are delayed, so transactions pause between
 * statements.
 */
export async function openSlowLine(target: string, random: Random) {
  const { hostname, port } = new URL(target);
  const proxy = await openFaultProxy({ host: hostname, port: Number(port === "" ? 5432 : port) });
  proxy.set({ delayMs: () => (random() < 0.2 ? 12 * random() ** 2 : 0) });
  const url = new URL(target);
  url.hostname = proxy.host;
  url.port = String(proxy.port);
  return { url: url.href, close: () => proxy.close() };
}
