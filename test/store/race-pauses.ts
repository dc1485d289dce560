/** Pauses where a race needs one: inside a statement, and between the statements of a transaction. */

import { openFaultProxy } from "../support/fault-proxy.js";
import { runOn } from "../support/database.js";
import type { Random } from "../support/soak.js";

/**
 * Makes the statements of a database pause, in the triggers of its tables and in a view, which the product knows nothing of:
 *
 * - *Before a statement* writes to a table, its snapshot is taken, and it has no lock yet: it finds its rows after that. So
 *   an append waits here with an old snapshot, in front of the head's lock, and a merge in front of its blocks.
 * - *Before a row* is written the locks are held: a block that is about to be inserted stands behind the head's lock.
 * - *After a statement* what was written is not committed.
 * - `removals` becomes a view, whose condition pauses: a statement that locks the note of a trim has an old snapshot, too.
 *
 * Many pauses are short and few are long: most of `power(random(), 3)` is small.
 */
export async function pauseStatements(url: string, longestMs: number): Promise<void> {
  const sleep = `pg_sleep(${longestMs / 1000} * power(random(), 3))`;
  const trigger = (when: string, table: string, each: "row" | "statement", chance: number) =>
    `create trigger ${when.split(" ").slice(0, 2).join("_")}_${each} ${when} on millrace.${table} for each ${each}
execute function races.pause(${chance})`;
  const statements = [
    "create schema races",
    `create function races.pause() returns trigger language plpgsql as $$
begin
  if random() < tg_argv[0]::float8 then perform ${sleep}; end if;
  if tg_level = 'STATEMENT' then return null; end if;
  if tg_op = 'DELETE' then return old; end if;
  return new;
end $$`,
    `create function races.pauses() returns boolean language plpgsql volatile as $$
begin
  if random() < 0.3 then perform ${sleep}; end if;
  return true;
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
    "create view millrace.removals as select * from races.removals where races.pauses()",
  ];
  for (const statement of statements) await runOn(url, statement);
}

/** Between a node and its database: some messages take longer, so that a transaction pauses between its statements. */
export async function openSlowLine(target: string, random: Random) {
  const { hostname, port } = new URL(target);
  const proxy = await openFaultProxy({ host: hostname, port: Number(port === "" ? 5432 : port) });
  proxy.set({ delayMs: () => (random() < 0.2 ? 15 * random() ** 2 : 0) });
  const url = new URL(target);
  url.hostname = proxy.host;
  url.port = String(proxy.port);
  return { url: url.href, close: () => proxy.close() };
}
