import type pg from "pg";
import { MillraceError } from "../../../core/index.js";
import { trackTasks } from "../../../streams/index.js";
import { type Logger, type Metrics, systemClock } from "../../../telemetry/index.js";
import { type StoreFailure, StoreUnavailableError } from "../../store-unavailable-error.js";
import { orderValues, type Statement } from "../statement.js";
import { createConnectGate } from "./connect-gate.js";
import { copyRows } from "./copy-query.js";
import { type CopyQuery, keptPlan } from "./kept-plans.js";
import type { CopyField } from "./copy-row.js";
import { causeOf, classifyFailure, messageOf } from "./failures.js";
import type { ListenHandlers } from "./listen.js";
import { createOutage } from "./outage.js";

/** One connection, while the caller has it: with or without a transaction. */
export interface Connection {
  run<Values, Row>(statement: Statement<Values, Row>, values: Values): Promise<readonly Row[]>;
  /** Runs the text of commands without parameters. `timeoutMs` replaces the usual limit. */
  command(text: string, timeoutMs?: number): Promise<pg.QueryResult>;
  /** Runs a query by COPY and passes on its rows: views, which `onRow` must copy before it returns. */
  copy(query: CopyQuery, onRow: (fields: readonly CopyField[]) => void): Promise<void>;
}

/**
 * The pool, and the meaning of its failures. Every failure of the database is a `StoreUnavailableError`. Any other
 * error is a bug in this program.
 */
export interface Database {
  readonly kind: "postgres" | "embedded";
  readonly connections: number;
  /** The `statement_timeout` of every connection. */
  readonly statementTimeoutMs: number;
  /** One statement, committed when this resolves. */
  run<Values, Row>(statement: Statement<Values, Row>, values: Values): Promise<readonly Row[]>;
  copy(query: CopyQuery, onRow: (fields: readonly CopyField[]) => void): Promise<void>;
  /** Several statements on one connection, without a transaction around them. */
  withConnection<Result>(body: (connection: Connection) => Promise<Result>): Promise<Result>;
  /**
   * Several statements, committed when this resolves. A broken connection leaves its outcome unknown only at COMMIT.
   */
  transaction<Result>(body: (connection: Connection) => Promise<Result>): Promise<Result>;
  /**
   * Listens for notifications on a channel, on a connection of its own, until `signal` aborts or the database is
   * closed. Never throws. An embedded database has no other nodes: it resolves at once.
   */
  listen(channel: string, handlers: ListenHandlers, signal: AbortSignal): Promise<void>;
  /** Refuses new statements, waits for the running ones, and ends every connection. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly kind: "postgres" | "embedded";
  readonly pool: pg.Pool;
  readonly connections: number;
  /** After this time without an answer the connection is abandoned. Undefined: never (PGlite runs in this process). */
  readonly answerTimeoutMs: number | undefined;
  /**
   * Whether the server executes no statement for a connection. Throws when the server does not reply. Undefined:
   * no check.
   */
  readonly isIdle: ((client: pg.PoolClient) => Promise<boolean>) | undefined;
  readonly statementTimeoutMs: number;
  readonly idleInTransactionMs: number;
  /** Yields to the event loop when it is due. For a database whose answers never wait for a socket. */
  readonly takeTurn: (() => Promise<void> | undefined) | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
  /** As `listenOn`. Undefined: no other process notifies. */
  readonly listen: ((channel: string, handlers: ListenHandlers, signal: AbortSignal) => Promise<void>) | undefined;
  /** Closes what the pool runs on. */
  readonly afterClose: () => Promise<void>;
}

/** pg-pool's error text for "all connections are in use". A failed connect has another text. */
const poolWaitEnded = "timeout exceeded when trying to connect";

export function createDatabase(options: DatabaseOptions): Database {
  const { pool, logger, metrics } = options;
  const outage = createOutage(logger, systemClock);
  const gate = createConnectGate();
  const underWay = trackTasks(() => undefined);
  const ending = new AbortController();
  let closing: Promise<void> | undefined;

  pool.on("error", (error) => outage.broke(causeOf(error)));

  async function acquire(): Promise<pg.PoolClient> {
    if (gate.closedForMs > 0 && pool.idleCount === 0) {
      throw unavailable("Cannot reach the database: the last connect failed just now", { outcomeUnknown: false });
    }
    try {
      const client = await pool.connect();
      gate.connected();
      return client;
    } catch (error) {
      if (messageOf(error) === poolWaitEnded) {
        const text = `Cannot get a database connection: all ${options.connections} are in use`;
        const why = "All connections to the database are in use";
        throw unavailable(text, { outcomeUnknown: false, cause: error, why });
      }
      gate.failed();
      outage.failed(causeOf(error));
      const { why } = classifyFailure(error, true);
      const failure = { outcomeUnknown: false, cause: error, why };
      throw unavailable(`Cannot connect to the database: ${messageOf(error)}`, failure);
    }
  }

  function unavailable(message: string, failure: StoreFailure): StoreUnavailableError {
    metrics?.databaseErrors.inc({ kind: failure.outcomeUnknown ? "outcome-unknown" : "unavailable" });
    return new StoreUnavailableError(message, failure);
  }

  async function use<Result>(body: (connection: CheckedConnection) => Promise<Result>): Promise<Result> {
    const turn = options.takeTurn?.();
    if (turn !== undefined) await turn;
    const client = await acquire();
    const connection = openConnection(client, options);
    try {
      const result = await body(connection);
      connection.end();
      outage.worked();
      return result;
    } catch (error) {
      const failure = classifyFailure(error, connection.broke);
      if (failure.tells === "away") outage.failed(causeOf(error));
      else if (failure.tells === "broken-connection") outage.broke(causeOf(error));
      // An open transaction that could not be rolled back, or an answer that may still come, makes the connection
      // unusable.
      connection.end(failure.spoilsConnection || connection.mustGo ? error : undefined);
      if (error instanceof StoreUnavailableError) throw error;
      if (failure.kind === "fault") {
        metrics?.databaseErrors.inc({ kind: "fault" });
        throw error;
      }
      const isUnknown = failure.kind === "lost" && connection.mayHaveCommitted;
      const what = failure.kind === "lost" ? "Lost the database connection" : "The database refused a statement";
      throw unavailable(`${what}: ${messageOf(error)}`, { outcomeUnknown: isUnknown, cause: error, why: failure.why });
    }
  }

  function tracked<Result>(work: () => Promise<Result>): Promise<Result> {
    if (closing !== undefined) {
      return Promise.reject(unavailable("Cannot run a statement: the store is closed", { outcomeUnknown: false }));
    }
    const task = work();
    underWay.track(task);
    return task;
  }

  return {
    kind: options.kind,
    connections: options.connections,
    statementTimeoutMs: options.statementTimeoutMs,
    run: (statement, values) => tracked(() => use((connection) => connection.run(statement, values))),
    copy: (query, onRow) => tracked(() => use((connection) => connection.copy(query, onRow))),
    withConnection: (body) => tracked(() => use(body)),
    transaction: (body) =>
      tracked(() => use((connection) => inTransaction(connection, body, options.idleInTransactionMs))),
    async listen(channel, handlers, signal) {
      const { listen } = options;
      if (listen === undefined) return;
      await tracked(() => listen(channel, handlers, AbortSignal.any([signal, ending.signal])));
    },
    close() {
      ending.abort();
      closing ??= underWay
        .settled()
        .then(() => pool.end())
        .then(options.afterClose);
      return closing;
    },
  };
}

/** A connection with what is known of its state. */
interface CheckedConnection extends Connection {
  /** The connection broke, or its answer was abandoned. */
  readonly broke: boolean;
  /** Its state is unknown: it must not return to the pool. */
  mustGo: boolean;
  /** The last statement may have been committed, although its answer did not arrive. */
  mayHaveCommitted: boolean;
  isInTransaction: boolean;
  /** Returns the connection to the pool, or ends it. */
  end(error?: unknown): void;
}

/**
 * A statement without an answer is checked at this interval. If the server is idle at two checks, the connection is
 * dead.
 */
const silentMs = 1000;

function openConnection(
  client: pg.PoolClient,
  { answerTimeoutMs, isIdle }: Pick<DatabaseOptions, "answerTimeoutMs" | "isIdle">,
): CheckedConnection {
  let broke = false;
  const onError = () => {
    broke = true;
  };
  client.on("error", onError);

  async function answered<Result>(ask: () => Promise<Result>, timeoutMs = answerTimeoutMs): Promise<Result> {
    if (isDead(client)) {
      // Nothing was sent, so nothing was executed.
      broke = true;
      connection.mayHaveCommitted = false;
      throw new Error("the connection was broken");
    }
    const answer = ask();
    if (timeoutMs === undefined) return answer;
    const silence = watchSilence(timeoutMs);
    try {
      return await Promise.race([answer, silence.gaveUp]);
    } finally {
      silence.end();
    }
  }

  /** Abandons an answer after `timeoutMs`, or when the server executes no statement for this connection. */
  function watchSilence(timeoutMs: number): { readonly gaveUp: Promise<never>; end(): void } {
    const startedAtMs = performance.now();
    let timer: NodeJS.Timeout | undefined;
    let isAsking = false;
    let timesIdle = 0;
    const gaveUp = new Promise<never>((_, reject) => {
      const giveUp = (text: string): void => {
        broke = true;
        reject(new Error(text));
      };
      const look = (): void => {
        const leftMs = startedAtMs + timeoutMs - performance.now();
        if (leftMs <= 0) return giveUp(`no answer within ${timeoutMs} ms`);
        timer = setTimeout(look, Math.min(silentMs, leftMs));
        if (isIdle === undefined || isAsking) return undefined;
        isAsking = true;
        isIdle(client)
          .then(
            (answer) => (timesIdle = answer ? timesIdle + 1 : 0),
            () => (timesIdle = 0),
          )
          .finally(() => {
            isAsking = false;
            if (timesIdle >= 2) giveUp("the server has nothing to answer on this connection");
          })
          .catch(() => undefined);
        return undefined;
      };
      timer = setTimeout(look, Math.min(silentMs, timeoutMs));
    });
    return { gaveUp, end: () => clearTimeout(timer) };
  }

  const connection: CheckedConnection = {
    get broke() {
      return broke;
    },
    mustGo: false,
    mayHaveCommitted: true,
    isInTransaction: false,
    async run<Values, Row>(statement: Statement<Values, Row>, values: Values) {
      const { name, text } = statement;
      const query = { text, values: orderValues(statement, values), ...(name !== undefined && { name }) };
      const result = await answered(() => client.query<Row & pg.QueryResultRow>(query));
      return result.rows;
    },
    command: (text, timeoutMs) => answered(() => client.query(text), timeoutMs),
    async copy(query, onRow) {
      const isKept = await keptPlan(client, query, connection.isInTransaction, connection.command);
      const text = isKept && query.planned !== undefined ? query.planned.call() : query.text();
      await answered(() => copyRows(client, `copy (${text}) to stdout (format binary)`, onRow));
    },
    end(error) {
      if (error === undefined) client.release();
      else client.release(error instanceof Error ? error : true);
      client.off("error", onError);
    },
  };
  return connection;
}

/**
 * Whether a connection broke before we acquired it, when nobody listened. pg then refuses its queries with errors that
 * say nothing about the database.
 */
function isDead(client: pg.PoolClient): boolean {
  const { _queryable: isQueryable, _ended: hasEnded } = client as { _queryable?: boolean; _ended?: boolean };
  return isQueryable === false || hasEnded === true;
}

async function inTransaction<Result>(
  connection: CheckedConnection,
  body: (connection: Connection) => Promise<Result>,
  idleMs: number,
): Promise<Result> {
  connection.mayHaveCommitted = false;
  connection.isInTransaction = true;
  // READ COMMITTED: each statement sees earlier commits, so a statement after a lock sees what the lock waited for.
  await connection.command(
    `begin isolation level read committed; set local idle_in_transaction_session_timeout = ${idleMs}`,
  );
  let result: Result;
  try {
    result = await body(connection);
  } catch (error) {
    // On a broken connection the server rolls back by itself. On a silent one we would only wait again.
    if (connection.broke) connection.mustGo = true;
    else {
      await connection.command("rollback").catch(() => {
        connection.mustGo = true;
      });
    }
    throw error;
  }
  connection.mayHaveCommitted = true;
  const { command } = await connection.command("commit");
  if (command !== "COMMIT") throw new MillraceError("internal", `COMMIT was answered with ${command}`);
  return result;
}
