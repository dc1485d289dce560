import pg from "pg";
import type { Logger, Metrics } from "../../../telemetry/index.js";
import { bindLargeInParts } from "./bind-large.js";
import { createDatabase, type Database } from "./database.js";
import { typeParsers } from "./integers.js";
import { listenOn } from "./listen.js";
import { createLiveness } from "./liveness.js";
import { type ConnectionLimits, connectionSettings } from "./connection-settings.js";

export interface PostgresOptions extends ConnectionLimits {
  readonly url: string;
  readonly connections: number;
  readonly poolWaitMs: number;
  /** Limits one connect. If its packets are lost, callers wait this long instead of `poolWaitMs`. */
  readonly connectTimeoutMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
}

/** The longest time that an answer may take beyond the server's own limit, before the connection counts as dead. */
const answerGraceMsMax = 5000;

/** A pool of connections to a Postgres server. It connects at its first use. */
export function openPostgres(options: PostgresOptions): Database {
  const answerTimeoutMs = options.statementTimeoutMs + Math.min(options.statementTimeoutMs, answerGraceMsMax);
  const settings = connectionSettings(options);
  const listenOptions = { url: options.url, connectTimeoutMs: options.connectTimeoutMs, logger: options.logger };
  const liveness = createLiveness(options.url);
  const backends = new WeakMap<pg.ClientBase, number>();
  /** Stores the backend's own pid: the pid of the start-up packet may be a pooler's. */
  async function setUp(client: pg.ClientBase): Promise<void> {
    // Several statements return several results, although pg's types do not say so.
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
    // The pool awaits what this returns, although its types do not say so.
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

/** The pool has one limit for its own wait and for the connect. This client has a limit of its own for the connect. */
function connectingWithin(connectionTimeoutMillis: number): typeof pg.Client {
  return class extends pg.Client {
    constructor(config: pg.ClientConfig) {
      super({ ...config, connectionTimeoutMillis });
      bindLargeInParts(this);
    }
  };
}

/** A server that accepts a connection and then stays silent must not hold its place in the pool. */
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
