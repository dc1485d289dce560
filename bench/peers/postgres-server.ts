/**
 * The run's Postgres, with default settings and on a disk, so that syncing counts. It is the machine's own if
 * `pg_config` finds one with lz4, as every distribution builds it. Otherwise it is the one from npm, which has only
 * pglz: that costs a publisher three times as much as the rest of a commit.
 */

import { spawnSync } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Bench } from "../harness/bench.js";
import { findFreePort } from "../harness/free-port.js";
import { type Identity, startProgram } from "../harness/program.js";
import { startSubject } from "../harness/subject.js";
import type * as postgresServerSubject from "../subjects/postgres-server.js";

export interface PostgresServer {
  readonly version: string;
  /** Returns its URL. */
  createDatabase(name: string): Promise<string>;
}

export async function startPostgresServer(bench: Bench): Promise<PostgresServer> {
  const url = (await startOwn(bench)) ?? (await startFromNpm(bench));
  const [version] = await query<{ server_version: string }>(url, "show server_version");
  const [compression] = await query<{ enumvals: string[] }>(
    url,
    "select enumvals from pg_settings where name = 'default_toast_compression'",
  );
  return {
    version: `${version?.server_version}, ${compression?.enumvals.includes("lz4") ? "with lz4" : "without lz4"}`,
    async createDatabase(name) {
      await query(url, `create database ${name}`);
      const created = new URL(url);
      created.pathname = `/${name}`;
      return created.href;
    },
  };
}

/** Undefined: the machine has none, or none with lz4. */
async function startOwn(bench: Bench): Promise<string | undefined> {
  const configured = spawnSync("pg_config", ["--configure"], { encoding: "utf8" });
  if (configured.error !== undefined || !configured.stdout.includes("--with-lz4")) return undefined;
  const folder = spawnSync("pg_config", ["--bindir"], { encoding: "utf8" }).stdout.trim();
  const owner = postgresUser();
  const data = await mkdtemp(join(bench.folder, "postgres-"));
  if (owner !== undefined) spawnSync("chown", [String(owner.uid), data]);
  const initialised = spawnSync(
    join(folder, "initdb"),
    ["--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"],
    { encoding: "utf8", ...owner },
  );
  // Where only Postgres' client is installed there is no initdb.
  if (initialised.status !== 0) return undefined;
  const port = await findFreePort();
  const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"];
  const args = ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])];
  await startProgram(bench, join(folder, "postgres"), args, port, { ...owner, stopSignal: "SIGINT" });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await isReady(url);
  return url;
}

/** Its port answers before the server accepts connections. */
async function isReady(url: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await query(url, "select 1");
      return;
    } catch (error) {
      if (attempt === 100 || (error as { code?: string }).code !== "57P03") throw error;
      await sleep(50);
    }
  }
}

async function startFromNpm(bench: Bench): Promise<string> {
  const server = await startSubject<typeof postgresServerSubject>(bench, "postgres-server", undefined);
  return server.info.url;
}

/** Postgres does not run as root: use the user that its package created. */
function postgresUser(): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  return { uid: id("-u"), gid: id("-g") };
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
