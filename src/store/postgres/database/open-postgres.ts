import pg from "pg";
import type { Logger, Metrics } from "../../../telemetry/index.js";
import { bindLargeInParts } from "./bind-large.js";
import { createDatabase, type Database } from "./database.js";
import { typeParsers } from "./integers.js";
import { listenOn } from "./listen.js";
import { createLiveness } from "./liveness.js";
import { type SessionLimits, sessionSettings } from "./session-settings.js";

export interface PostgresOptions extends SessionLimits {
  readonly url: string;
  readonly connections: number;
  readonly poolWaitMs: number;
  /** Limits one connect. If its packets are lost, callers wait this long, and not `poolWaitMs`. */
  readonly connectTimeoutMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
}

/** What an answer may take beyond the server's own limit before the connection counts as dead, at most. */
const answerGraceMsMax = 5000;

/** A pool on a Postgres server. It connects when it is first used. */
export function openPostgres(options: PostgresOptions): Database {
  const answerTimeoutMs = options.statementTimeoutMs + Math.min(options.statementTimeoutMs, answerGraceMsMax);
  const settings = sessionSettings(options);
  const listenOptions = { url: options.url, connectTimeoutMs: options.connectTimeoutMs, logger: options.logger };
  const liveness = createLiveness(options.url);
  const backends = new WeakMap<pg.ClientBase, number>();
  /** The backend's own number: that of the start-up packet may be a pooler's. */
  async function setUp(client: pg.ClientBase): Promise<void> {
    // Several statements give several results, which pg's types do not tell.
    const results: unknown = await client.query(`${settings}; select pg_backend_pid() as pid`);
    const [row] = (results as pg.QueryResult<{ pid: number }>[]).at(-1)?.rows ?? [];
    if (row !== undefined) backends.set(client, row.pid);
  }
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connections,
    connectionTimeoutMillis: options.poolWaitMs,
    Client: connectingWithin(options.connectTimeoutMs),
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    fallback_application_name: "millrace",
    types: typeParsers,
    // The pool waits for what this returns, which its types do not tell.
    onConnect: (client): unknown => withinTime(setUp(client), options.connectTimeoutMs),
  });
  return createDatabase({
    kind: "postgres",
    pool,
    connections: options.connections,
    answerTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs,
    idleInTransactionMs: options.idleInTransactionMs,
    takeTurn: undefined,
    logger: options.logger,
    metrics: options.metrics,
    listen: (channel, handlers, signal) => listenOn({ ...listenOptions, channel }, handlers, signal),
    isIdle: async (client) => {
      const pid = backends.get(client);
      return pid !== undefined && (await liveness.isIdle(pid));
    },
    afterClose: () => liveness.close(),
  });
}

/** The pool has one limit for its own wait and for the connect: the client has another. */
function connectingWithin(connectionTimeoutMillis: number): typeof pg.Client {
  return class extends pg.Client {
    constructor(config: pg.ClientConfig) {
      super({ ...config, connectionTimeoutMillis });
      bindLargeInParts(this);
    }
  };
}

/** A server that takes a connection and then says nothing must not hold its place in the pool for ever. */
async function withinTime(answer: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      answer,
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
