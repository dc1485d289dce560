/** Runs Postgres from npm in a process of its own: its package ends the process that uses it on Ctrl-C. */

import { tmpdir } from "node:os";
import { startPostgresServer } from "../../test/support/postgres-server.js";
import type { Subject } from "../harness/subject.js";

export async function open(): Promise<Subject<undefined, undefined, { readonly url: string }>> {
  const server = await startPostgresServer([], tmpdir());
  return { info: { url: server.url }, round: async () => undefined, close: () => server.remove() };
}
