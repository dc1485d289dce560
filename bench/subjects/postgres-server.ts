/** Postgres in a process of its own that looks after it: its package ends the process that uses it on Ctrl-C. */

import { tmpdir } from "node:os";
import pg from "pg";
import { startPostgresServer } from "../../test/support/postgres-server.js";
import type { Subject } from "../harness/subject.js";

/** A round creates a database and gives its URL. Postgres has its default settings and a disk, so fsync counts. */
export async function open(): Promise<Subject<{ readonly name: string }, string, { readonly version: string }>> {
  const server = await startPostgresServer([], tmpdir());
  const [row] = await query<{ server_version: string }>(server.url, "show server_version");
  return {
    info: { version: row?.server_version ?? "?" },
    async round({ name }) {
      await query(server.url, `create database ${name}`);
      const url = new URL(server.url);
      url.pathname = `/${name}`;
      return url.href;
    },
    close: () => server.remove(),
  };
}

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}
