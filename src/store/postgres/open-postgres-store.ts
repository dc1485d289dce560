import { join } from "node:path";
import { defaultLimits } from "../../core/index.js";
import { backoff, sleep } from "../../streams/index.js";
import type { Logger, Metrics } from "../../telemetry/index.js";
import type { Store } from "../store.js";
import { StoreUnavailableError } from "../store-unavailable-error.js";
import { bindOperations } from "./bind-operations.js";
import * as blockOperations from "./block-operations.js";
import type { Database } from "./database/database.js";
import { isMisconfigured } from "./database/failures.js";
import { openEmbedded } from "./database/open-embedded.js";
import { openPostgres } from "./database/open-postgres.js";
import type { LogShape } from "./log-shape.js";
import { migrate, type MigrationProgress } from "./migrations/migrate.js";
import * as operations from "./operations.js";
import { endLeftSessions } from "./sessions/end-left-sessions.js";
import { templateName } from "./template/template-name.js";

/** Where the database is. */
export type StoreConnection =
  /** A `postgres://` URL. */
  | { readonly kind: "postgres"; readonly url: string }
  /** PGlite in a folder, which is created when it is missing; or `memory`, gone with the process. */
  | { readonly kind: "embedded"; readonly folder: string };

export interface PostgresStoreOptions {
  readonly connection: StoreConnection;
  /**
   * A folder that may have a template of `makeTemplate`: a new embedded database is unpacked from it, if the version
   * fits.
   */
  readonly templates?: string;
  /** The pool's size. Default 10; embedded always has 1. */
  readonly connections?: number;
  /** The server cancels a statement after this time. Default 30 000. PGlite has no such timeout. */
  readonly statementTimeoutMs?: number;
  /** How long a statement waits for a connection. Default 10 000. */
  readonly poolWaitMs?: number;
  /** How long one connect may take, up to `poolWaitMs`. Default 3000. */
  readonly connectTimeoutMs?: number;
  /** As in `LogShape`. Default 20 480. */
  readonly blockBytes?: number;
  /** As in `LogShape`. Default 64. */
  readonly producerWindow?: number;
  /** How long opening waits for an unreachable database. Default 60 000. */
  readonly startTimeoutMs?: number;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** Abandons opening. */
  readonly signal?: AbortSignal;
}

const progressMs = 2000;

/** Our transactions send their next statement at once: one that is idle this long belongs to a dead node. */
const idleInTransactionMs = 10_000;

/**
 * Opens the database, waits with backoff while it is unreachable, and migrates its schema. Throws at once what waiting
 * does not fix: a wrong password or name, a schema newer than the program, a folder in use. Throws
 * `StoreUnavailableError` after `startTimeoutMs`.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  options.signal?.throwIfAborted();
  const database = await openDatabase(options);
  try {
    await migrateWhenThere(database, options);
    // The folder's lock excludes every other process, so all sessions are left from earlier ones.
    if (database.kind === "embedded") await endLeftSessions(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  const { blockBytes = defaultLimits.blockBytes, producerWindow = defaultLimits.producerWindow } = options;
  return storeOn(database, { blockBytes, producerWindow });
}

async function openDatabase(options: PostgresStoreOptions): Promise<Database> {
  const { connection, connections = 10, statementTimeoutMs = 30_000, poolWaitMs = 10_000, logger, metrics } = options;
  const connectTimeoutMs = Math.min(options.connectTimeoutMs ?? 3000, poolWaitMs);
  const shared = { statementTimeoutMs, poolWaitMs, idleInTransactionMs, logger, metrics };
  switch (connection.kind) {
    case "postgres":
      return openPostgres({ ...shared, url: connection.url, connections, connectTimeoutMs });
    case "embedded": {
      const template = options.templates === undefined ? undefined : join(options.templates, templateName());
      return openEmbedded({ ...shared, folder: connection.folder, template });
    }
    default:
      return connection satisfies never;
  }
}

async function migrateWhenThere(database: Database, options: PostgresStoreOptions): Promise<void> {
  const { startTimeoutMs = 60_000, logger, signal } = options;
  const waits = backoff({ minMs: 100, maxMs: 5000 });
  const tellProgress = progressLog(logger);
  let givesUpAtMs = performance.now() + startTimeoutMs;
  const onProgress = (progress: MigrationProgress): void => {
    // A running migration shows that the database is reachable.
    givesUpAtMs = performance.now() + startTimeoutMs;
    tellProgress(progress);
  };
  for (;;) {
    try {
      const ran = await migrate(database, { onProgress, ...(signal && { signal }) });
      if (ran.length > 0) logger.info({ migrations: ran }, "Migrated the schema millrace");
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || isMisconfigured(error.cause)) throw error;
      signal?.throwIfAborted();
      const waitMs = waits.next();
      if (performance.now() + waitMs > givesUpAtMs) throw error;
      await sleep(waitMs, signal);
    }
  }
}

/** Logs the progress of a long migration, every few seconds. */
function progressLog(logger: Logger): (progress: MigrationProgress) => void {
  let dueMs = 0;
  return (progress) => {
    const nowMs = performance.now();
    if (nowMs < dueMs && progress.done < progress.total) return;
    dueMs = nowMs + progressMs;
    logger.info(progress, "Migrating the schema millrace");
  };
}

/** How much one search reads: some tens of milliseconds. The embedded database runs on this process's only thread. */
const searchBytes = { postgres: 16 * 1024 * 1024, embedded: 2 * 1024 * 1024 } as const;

function storeOn(database: Database, shape: LogShape): Store {
  return {
    connections: database.connections,
    searchBytes: searchBytes[database.kind],
    ...(bindOperations(operations, database) satisfies Pick<Store, keyof typeof operations>),
    ...(bindOperations(blockOperations, database, shape) satisfies Pick<Store, keyof typeof blockOperations>),
    close: () => database.close(),
  };
}
