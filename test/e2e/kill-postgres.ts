import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runOn } from "../support/database.js";
import type { PostgresServer } from "../support/postgres-server.js";

/** Kills all processes of Postgres with -9, and starts it on the same data, which it then recovers. */
export async function killPostgres(server: PostgresServer): Promise<void> {
  const { rows: folders } = await runOn(server.url, "show data_directory");
  const [line = ""] = (await readFile(join(folders[0].data_directory, "postmaster.pid"), "utf8")).split("\n");
  const { rows } = await runOn(server.url, "select pid from pg_stat_activity");
  for (const pid of [Number(line), ...rows.map((row) => Number(row.pid))]) killIfThere(pid);
  await startAgain(server);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // The backend that answered has ended by now.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** A backend that was forked meanwhile notices that its postmaster is gone and ends; until then no start succeeds. */
async function startAgain(server: PostgresServer): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await server.start();
      return;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}
