import { mkdir, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { createPgConfig } from "@electric-sql/pglite/node-postgres";
import pg from "pg";
import { createYielder } from "../../../streams/index.js";
import type { Logger, Metrics } from "../../../telemetry/index.js";
import { readTemplate, unpackTemplate } from "../template/unpack-template.js";
import { ensureDataDirectory } from "./data-directory.js";
import { createDatabase, type Database } from "./database.js";
import { messageOf } from "./failures.js";
import { lockFolder } from "./folder-lock.js";
import { typeParsers } from "./integers.js";
import { type ConnectionLimits, connectionSettings } from "./connection-settings.js";

export interface EmbeddedOptions extends ConnectionLimits {
  /** A folder for this store alone, created if it is missing; or `memory`. */
  readonly folder: string;
  /** The archive that a new database is unpacked from. Undefined, missing or damaged: initdb runs. */
  readonly template: string | undefined;
  readonly poolWaitMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
}

/**
 * PGlite clears its shared buffers at start, so all of them are resident. With initdb's 128 MB a first start would take
 * more than 400 MB. Pages that are not in them come from the system's cache. Measured: reading a log of 95 MB takes a
 * fifth more CPU than with 128 MB.
 */
const startParams = [...PGlite.defaultStartParams, "-c", "shared_buffers=64MB"];

/**
 * PGlite: Postgres in this process. It has one connection, no statement timeout, and never fsyncs: a commit survives
 * the end of the process, but not a power cut. A second process in its folder would corrupt it, hence the lock. Throws
 * when the folder is in use.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Database> {
  if (options.folder === "memory") return openPool(await createInMemory(options), options, async () => undefined);
  const folder = resolve(options.folder);
  await mkdir(folder, { recursive: true });
  const lock = await lockFolder(folder);
  try {
    const directory = await ensureDataDirectory(folder, (draft) => fillDraft(draft, options));
    const pglite = await PGlite.create(directory, { startParams });
    return openPool(pglite, options, () => lock.release());
  } catch (error) {
    await lock.release();
    throw new Error(`Cannot open the database in ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

/** initdb in WebAssembly takes seconds, and 500 MB of memory that the process does not return. */
async function fillDraft(draft: string, { template, logger }: EmbeddedOptions): Promise<void> {
  if (template !== undefined) {
    try {
      return await unpackTemplate(template, draft);
    } catch (error) {
      tellUnusable(error, template, logger);
      await rm(draft, { recursive: true, force: true });
    }
  }
  const pglite = await PGlite.create(draft, { startParams });
  await pglite.close();
}

async function createInMemory({ template, logger }: EmbeddedOptions): Promise<PGlite> {
  if (template !== undefined) {
    try {
      return await PGlite.create({ startParams, loadDataDir: await readTemplate(template) });
    } catch (error) {
      tellUnusable(error, template, logger);
    }
  }
  return PGlite.create({ startParams });
}

/** A missing template is normal (the installed one is of another version): the start only takes longer. */
function tellUnusable(error: unknown, template: string, logger: Logger): void {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
  logger.warn({ template, cause: messageOf(error) }, "Cannot use the template of databases: initialising a new one");
}

function openPool(pglite: PGlite, options: EmbeddedOptions, release: () => Promise<void>): Database {
  const settings = connectionSettings(options);
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
    // Never: its one connection lives as long as the process.
    idleTimeoutMillis: 0,
    types: typeParsers,
    // The pool awaits what this returns, although its types do not say so.
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
    // PGlite answers in microtasks: without a yield, busy callers would starve timers and sockets.
    takeTurn: createYielder(),
    logger: options.logger,
    metrics: options.metrics,
    listen: undefined,
    async afterClose() {
      // The pool does not close PGlite. The lock is held until PGlite's files are closed.
      try {
        await pglite.close();
      } finally {
        await release();
      }
    },
  });
}
