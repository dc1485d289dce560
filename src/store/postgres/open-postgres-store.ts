import { join } from "node:path";
import { defaultLimits } from "../../core/index.js";
import { backoff, sleep } from "../../streams/index.js";
import type { Logger, Metrics } from "../../telemetry/index.js";
import type { Store } from "../store.js";
import { StoreUnavailableError } from "../topic-store.js";
import type { Database } from "./database/database.js";
import { isMisconfigured } from "./database/failures.js";
import { openEmbedded } from "./database/open-embedded.js";
import { openPostgres } from "./database/open-postgres.js";
import type { LogShape } from "./log-shape.js";
import { migrate, type MigrationProgress } from "./migrations/migrate.js";
import { appendLocked } from "./statements/append-locked.js";
import { appendWrite } from "./statements/append-blocks.js";
import { appendTogether } from "./statements/append-together.js";
import { buildState, findBuilds } from "./statements/build-state.js";
import { applyRetention } from "./statements/apply-retention.js";
import { closeTopic } from "./statements/close-topic.js";
import { createTopic, createTopics } from "./statements/create-topic.js";
import { deleteIdleProducers } from "./statements/delete-idle-producers.js";
import { deleteOrphans } from "./statements/delete-orphans.js";
import { deleteTopic } from "./statements/delete-topic.js";
import { deleteTrimmed } from "./statements/delete-trimmed.js";
import { explainRead } from "./statements/explain-read.js";
import { findExpiring } from "./statements/find-expiring.js";
import { findOldestSnapshot } from "./statements/find-oldest-snapshot.js";
import { findOverdue } from "./statements/find-overdue.js";
import { findTopic, findTopics } from "./statements/find-topic.js";
import { findTrimmed } from "./statements/find-trimmed.js";
import { listTopics } from "./statements/list-topics.js";
import { findUnmerged, mergeBlocks } from "./statements/merge-blocks.js";
import { findOldTombstones, purgeTombstones } from "./statements/purge-tombstones.js";
import { readAtTime } from "./statements/read-at-time.js";
import { readClock } from "./statements/read-clock.js";
import { readFrames } from "./statements/read-frames.js";
import { readHeads } from "./statements/read-heads.js";
import { listState, readState, readStateChanges } from "./statements/read-state.js";
import { choosePath, searchState } from "./statements/search-state.js";
import { searchPage } from "./statements/search-page.js";
import { readPage } from "./statements/read-page.js";
import { runReadView } from "./statements/read-view.js";
import { renewEpoch } from "./statements/renew-epoch.js";
import { trimTopic } from "./statements/trim-topic.js";
import { updateTopic } from "./statements/update-topic.js";
import { vacuumBlocks, vacuumTables } from "./statements/vacuum-tables.js";
import { endLeftSessions } from "./subscriptions/end-left-sessions.js";
import { subscriptionStoreOn } from "./subscriptions/subscription-store-on.js";
import { templateName } from "./template/template-name.js";

/** Where the database is. */
export type StoreConnection =
  /** A `postgres://` URL. */
  | { readonly kind: "postgres"; readonly url: string }
  /** PGlite in a folder, which is created when it is missing; or `memory`, gone with the process. */
  | { readonly kind: "embedded"; readonly folder: string };

export interface PostgresStoreOptions {
  readonly connection: StoreConnection;
  /** A folder that may have a template of embedded databases, as of `makeTemplate`: a new database is made of it, if it fits. */
  readonly templates?: string;
  /** The pool's size. Default 10; embedded always has 1. */
  readonly connections?: number;
  /** The server cancels a statement after so long. Default 30 000. PGlite does not know it. */
  readonly statementTimeoutMs?: number;
  /** How long a statement waits for a connection. Default 10 000. */
  readonly poolWaitMs?: number;
  /** How long a new connection may take to be made, as long as `poolWaitMs` at most. Default 3000. */
  readonly connectTimeoutMs?: number;
  /** As in `LogShape`. Default 20 480. */
  readonly blockBytes?: number;
  /** As in `LogShape`. Default 64. */
  readonly producerWindow?: number;
  /** How long opening waits for a database that is away. Default 60 000. */
  readonly startTimeoutMs?: number;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** Abandons opening. */
  readonly signal?: AbortSignal;
}

const progressMs = 2000;

/** A transaction of ours sends its next statement at once; one that does not is a node that died. */
const idleInTransactionMs = 10_000;

/**
 * Opens the database, waits for it with backoff when it is away, and migrates its schema. Throws what waiting does not
 * mend: a wrong password or name, a schema newer than the program, a folder in use; and `StoreUnavailableError` when
 * `startTimeoutMs` went by.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  options.signal?.throwIfAborted();
  const database = await openDatabase(options);
  try {
    await migrateWhenThere(database, options);
    // Its folder's lock keeps every other process out.
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
    // A migration that goes on is not a database that is away.
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

/** Says how far a long migration is, every few seconds. */
function progressLog(logger: Logger): (progress: MigrationProgress) => void {
  let dueMs = 0;
  return (progress) => {
    const nowMs = performance.now();
    if (nowMs < dueMs && progress.done < progress.total) return;
    dueMs = nowMs + progressMs;
    logger.info(progress, "Migrating the schema millrace");
  };
}

function storeOn(database: Database, shape: LogShape): Store {
  return {
    kind: database.kind,
    connections: database.connections,
    ...subscriptionStoreOn(database, shape),
    createTopic: (topic) => createTopic(database, topic),
    createTopics: (topics, most) => createTopics(database, topics, most),
    findTopics: (names) => findTopics(database, names),
    findTopic: (name) => findTopic(database, name),
    listTopics: (request) => listTopics(database, request),
    updateTopic: (topicId, change) => updateTopic(database, topicId, change),
    trimTopic: (topicId, beforeOffset) => trimTopic(database, topicId, beforeOffset),
    closeTopic: (topicId) => closeTopic(database, topicId),
    deleteTopic: (topicId) => deleteTopic(database, topicId),
    renewEpoch: (topicId, epoch, newEpoch) => renewEpoch(database, topicId, epoch, newEpoch),
    append: (write) => appendWrite(database, write, shape),
    appendTogether: (writes) => appendTogether(database, writes, shape),
    appendLocked: (topicId, producerIds, decide) => appendLocked(database, topicId, producerIds, decide, shape),
    readView: (topicId, producerIds) => runReadView(database, topicId, producerIds),
    readPage: (request) => readPage(database, request),
    searchPage: (request) => searchPage(database, request),
    readAtTime: (topicId, timeMicros) => readAtTime(database, topicId, timeMicros),
    readFrames: (topicId, offsets) => readFrames(database, topicId, offsets),
    readState: (topicId, keys, bytes, unexpiredAt) => readState(database, topicId, keys, bytes, unexpiredAt),
    listState: (request) => listState(database, request),
    readStateChanges: (request) => readStateChanges(database, request),
    searchState: (request) => searchState(database, request),
    explain: (read) => explainRead(database, read),
    choosePath: (topicId, rectangle) => choosePath(database, topicId, rectangle),
    readHeads: (topicIds) => readHeads(database, topicIds),
    findOverdue: (request) => findOverdue(database, request),
    applyRetention: (call) => applyRetention(database, call),
    findExpiring: (after, count) => findExpiring(database, after, count),
    deleteTrimmed: (topicId, count) => deleteTrimmed(database, topicId, count, shape),
    deleteOrphans: (count) => deleteOrphans(database, count),
    mergeBlocks: (step) => mergeBlocks(database, step, shape),
    findUnmerged: (request) => findUnmerged(database, request),
    findTrimmed: (count) => findTrimmed(database, count),
    findBuilds: (count) => findBuilds(database, count),
    buildState: (step, changesIn) => buildState(database, step, changesIn),
    findOldTombstones: (beforeMicros, count) => findOldTombstones(database, beforeMicros, count),
    purgeTombstones: (old, count) => purgeTombstones(database, old, count),
    deleteIdleProducers: (idleMs, perTopic, count) => deleteIdleProducers(database, idleMs, perTopic, count),
    findOldestSnapshot: () => findOldestSnapshot(database),
    vacuum: () => vacuumTables(database),
    vacuumBlocks: (deleted) => vacuumBlocks(database, deleted),
    now: () => readClock(database),
    close: () => database.close(),
  };
}
