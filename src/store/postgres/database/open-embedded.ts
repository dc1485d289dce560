import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { createPgConfig } from "@electric-sql/pglite/node-postgres";
import pg from "pg";
import { createYielder } from "../../../streams/index.js";
import type { Logger, Metrics } from "../../../telemetry/index.js";
import { createDatabase, type Database } from "./database.js";
import { messageOf } from "./failures.js";
import { lockFolder } from "./folder-lock.js";
import { typeParsers } from "./integers.js";
import { type SessionLimits, sessionSettings } from "./session-settings.js";

export interface EmbeddedOptions extends SessionLimits {
  /** A folder of ours, created when it is missing; or `memory`. */
  readonly folder: string;
  readonly poolWaitMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
}

/**
 * PGlite: Postgres in this process. It has one connection, knows no statement timeout, and never fsyncs: what was
 * committed survives the end of the process, not a power cut. A second process in its folder would corrupt it, hence
 * the lock. Throws when the folder is in use.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Database> {
  if (options.folder === "memory") return openPool(await PGlite.create(), options, async () => undefined);
  const folder = resolve(options.folder);
  await mkdir(folder, { recursive: true });
  const lock = await lockFolder(folder);
  try {
    // One level down, so that the folder can hold the lock: initdb wants an empty one.
    const pglite = await PGlite.create(join(folder, "postgres"));
    return openPool(pglite, options, () => lock.release());
  } catch (error) {
    await lock.release();
    throw new Error(`Cannot open the database in ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

function openPool(pglite: PGlite, options: EmbeddedOptions, release: () => Promise<void>): Database {
  const settings = sessionSettings(options);
  const { connection, host, port, user, password, database } = createPgConfig(pglite);
  const config = {
    connection,
    host,
    port,
    user,
    password,
    database,
    max: 1,
    connectionTimeoutMillis: options.poolWaitMs,
    // Never: its one session is this process's.
    idleTimeoutMillis: 0,
    types: typeParsers,
    // The pool waits for what this returns, which its types do not tell.
    onConnect: (client: pg.ClientBase): unknown => client.query(settings),
  };
  const pool = new pg.Pool(config);
  return createDatabase({
    kind: "embedded",
    pool,
    connections: 1,
    answerTimeoutMs: undefined,
    isIdle: undefined,
    statementTimeoutMs: options.statementTimeoutMs,
    idleInTransactionMs: options.idleInTransactionMs,
    // PGlite answers in microtasks: callers that go on and on would keep timers and sockets waiting for ever.
    takeTurn: createYielder(),
    logger: options.logger,
    metrics: options.metrics,
    listen: undefined,
    async afterClose() {
      // The pool does not close it, and the lock is held until its files are.
      try {
        await pglite.close();
      } finally {
        await release();
      }
    },
  });
}
