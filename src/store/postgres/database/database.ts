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

/** One connection, while it is ours. */
export interface Session {
  run<Values, Row>(statement: Statement<Values, Row>, values: Values): Promise<readonly Row[]>;
  /** Runs text as it stands: for commands that take no parameters. `timeoutMs` instead of the usual limit. */
  command(text: string, timeoutMs?: number): Promise<pg.QueryResult>;
  /** Gives the rows of a query by COPY: views, to be copied before `onRow` returns. */
  copy(query: CopyQuery, onRow: (fields: readonly CopyField[]) => void): Promise<void>;
}

/**
 * The pool, and what its failures mean. Every failure that is the database's is a `StoreUnavailableError`; anything else
 * that is thrown is a fault of ours.
 */
export interface Database {
  readonly kind: "postgres" | "embedded";
  readonly connections: number;
  /** What sessions set as `statement_timeout`. */
  readonly statementTimeoutMs: number;
  /** One statement, committed when this resolves. */
  run<Values, Row>(statement: Statement<Values, Row>, values: Values): Promise<readonly Row[]>;
  copy(query: CopyQuery, onRow: (fields: readonly CopyField[]) => void): Promise<void>;
  /** Several statements on one connection, without a transaction around them. */
  session<Result>(body: (session: Session) => Promise<Result>): Promise<Result>;
  /** Several statements, committed when this resolves. A broken connection leaves its outcome unknown only at COMMIT. */
  transaction<Result>(body: (session: Session) => Promise<Result>): Promise<Result>;
  /**
   * Hears what is notified on a channel, on a connection of its own, until `signal` aborts or the database is closed. Never
   * throws. An embedded database, which has no other nodes, resolves at once.
   */
  listen(channel: string, handlers: ListenHandlers, signal: AbortSignal): Promise<void>;
  /** Refuses new statements, waits for those under way, and ends every connection. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly kind: "postgres" | "embedded";
  readonly pool: pg.Pool;
  readonly connections: number;
  /** After so long without an answer the connection is given up. Undefined: never (PGlite runs inside this process). */
  readonly answerTimeoutMs: number | undefined;
  /** Whether the server works on nothing that a connection asked for. Throws when it does not say. Undefined: it always does. */
  readonly isIdle: ((client: pg.PoolClient) => Promise<boolean>) | undefined;
  readonly statementTimeoutMs: number;
  readonly idleInTransactionMs: number;
  /** Gives the event loop its turn, when it is time for one. For a database whose answers never wait for a socket. */
  readonly takeTurn: (() => Promise<void> | undefined) | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
  /** As of `listenOn`. Undefined: nobody else notifies. */
  readonly listen: ((channel: string, handlers: ListenHandlers, signal: AbortSignal) => Promise<void>) | undefined;
  /** Closes what the pool stands on. */
  readonly afterClose: () => Promise<void>;
}

/** pg-pool's word for "all connections are in use"; a connect that fails says something else. */
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
      throw unavailable(`Cannot connect to the database: ${messageOf(error)}`, {
        outcomeUnknown: false,
        cause: error,
        why,
      });
    }
  }

  function unavailable(message: string, failure: StoreFailure): StoreUnavailableError {
    metrics?.databaseErrors.inc({ kind: failure.outcomeUnknown ? "outcome-unknown" : "unavailable" });
    return new StoreUnavailableError(message, failure);
  }

  async function use<Result>(body: (session: CheckedSession) => Promise<Result>): Promise<Result> {
    const turn = options.takeTurn?.();
    if (turn !== undefined) await turn;
    const client = await acquire();
    const session = openSession(client, options);
    try {
      const result = await body(session);
      session.end();
      outage.worked();
      return result;
    } catch (error) {
      const failure = classifyFailure(error, session.broke);
      if (failure.tells === "away") outage.failed(causeOf(error));
      else if (failure.tells === "broken-connection") outage.broke(causeOf(error));
      // In a transaction whose ROLLBACK could not be sent, and wherever an answer may still come, the connection goes.
      session.end(failure.spoilsConnection || session.mustGo ? error : undefined);
      if (error instanceof StoreUnavailableError) throw error;
      if (failure.kind === "fault") {
        metrics?.databaseErrors.inc({ kind: "fault" });
        throw error;
      }
      const isUnknown = failure.kind === "lost" && session.mayHaveCommitted;
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
    run: (statement, values) => tracked(() => use((session) => session.run(statement, values))),
    copy: (query, onRow) => tracked(() => use((session) => session.copy(query, onRow))),
    session: (body) => tracked(() => use(body)),
    transaction: (body) => tracked(() => use((session) => inTransaction(session, body, options.idleInTransactionMs))),
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

/** A session with what is known of its connection. */
interface CheckedSession extends Session {
  /** The connection broke, or an answer was given up. */
  readonly broke: boolean;
  /** Its state is not known: it may not go back into the pool. */
  mustGo: boolean;
  /** What was sent last may have been committed without our hearing of it. */
  mayHaveCommitted: boolean;
  isInTransaction: boolean;
  /** Gives the connection back, or ends it. */
  end(error?: unknown): void;
}

/** A statement that has no answer for so long is asked about, and as often. Twice idle: its connection is dead. */
const silentMs = 1000;

function openSession(
  client: pg.PoolClient,
  { answerTimeoutMs, isIdle }: Pick<DatabaseOptions, "answerTimeoutMs" | "isIdle">,
): CheckedSession {
  let broke = false;
  const onError = () => {
    broke = true;
  };
  client.on("error", onError);

  async function answered<Result>(ask: () => Promise<Result>, timeoutMs = answerTimeoutMs): Promise<Result> {
    if (isDead(client)) {
      // Nothing is sent, so nothing is done.
      broke = true;
      session.mayHaveCommitted = false;
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

  /** Gives an answer up after so long, or when the server works on nothing of this connection. */
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

  const session: CheckedSession = {
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
      const isKept = await keptPlan(client, query, session.isInTransaction, session.command);
      const text = isKept && query.planned !== undefined ? query.planned.call() : query.text();
      await answered(() => copyRows(client, `copy (${text}) to stdout (format binary)`, onRow));
    },
    end(error) {
      if (error === undefined) client.release();
      else client.release(error instanceof Error ? error : true);
      client.off("error", onError);
    },
  };
  return session;
}

/**
 * Whether a connection broke before we had it, and so without our hearing of it: then pg refuses its queries, by errors that
 * say nothing of the database.
 */
function isDead(client: pg.PoolClient): boolean {
  const { _queryable: isQueryable, _ended: hasEnded } = client as { _queryable?: boolean; _ended?: boolean };
  return isQueryable === false || hasEnded === true;
}

async function inTransaction<Result>(
  session: CheckedSession,
  body: (session: Session) => Promise<Result>,
  idleMs: number,
): Promise<Result> {
  session.mayHaveCommitted = false;
  session.isInTransaction = true;
  // READ COMMITTED: each statement sees what was committed before it, so one after a lock sees what the lock waited for.
  await session.command(
    `begin isolation level read committed; set local idle_in_transaction_session_timeout = ${idleMs}`,
  );
  let result: Result;
  try {
    result = await body(session);
  } catch (error) {
    // On a broken connection the server rolls back by itself, and on a silent one we would only wait again.
    if (session.broke) session.mustGo = true;
    else {
      await session.command("rollback").catch(() => {
        session.mustGo = true;
      });
    }
    throw error;
  }
  session.mayHaveCommitted = true;
  const { command } = await session.command("commit");
  if (command !== "COMMIT") throw new MillraceError("internal", `COMMIT was answered with ${command}`);
  return result;
}
