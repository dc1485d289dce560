/** The composition root: the only place that builds everything, and takes it down again in order. */

import { fileURLToPath } from "node:url";
import { createEngine, type Engine } from "../engine/index.js";
import { createGrpcServer, type GrpcServer } from "../rpc/index.js";
import { openPostgresStore } from "../store/postgres/index.js";
import type { Store } from "../store/index.js";
import { createLiveStreams, createMetrics, type Logger, type Metrics, systemClock } from "../telemetry/index.js";
import { type MetricsEndpoint, serveMetrics } from "./metrics-endpoint.js";
import type { Settings } from "./settings.js";

export interface RunningServer {
  /** HOST:PORT as bound. */
  readonly address: string;
  /** HOST:PORT of the metrics page, where there is one. */
  readonly metricsAddress: string | undefined;
  /**
   * Ends every stream with its position, lets calls under way finish, and closes the database. Resolves within the grace
   * and a second, whatever the database does. Every call gives the same promise.
   */
  drain(): Promise<DrainEnd>;
}

/** `cut-off`: some calls did not end in the grace. `unanswered`: the database did not, so something is still open. */
export type DrainEnd = "ended" | "cut-off" | "unanswered";

/** What follows the grace: calls that were cut off let go, and the database is closed. */
const closingMs = 900;

/** Where the build puts the template of embedded databases. */
const templates = fileURLToPath(new URL("../templates", import.meta.url));

/** Starts a node. Throws when the database stays away, another process has its folder, or an address is taken. */
export async function startServer(settings: Settings, logger: Logger, signal?: AbortSignal): Promise<RunningServer> {
  const metrics = createMetrics();
  const store = await openPostgresStore({
    connection: settings.database,
    templates,
    connections: settings.connections,
    statementTimeoutMs: settings.statementTimeoutMs,
    poolWaitMs: settings.poolWaitMs,
    connectTimeoutMs: settings.connectTimeoutMs,
    blockBytes: settings.limits.blockBytes,
    producerWindow: settings.limits.producerWindow,
    logger,
    metrics,
    ...(signal === undefined ? {} : { signal }),
  });
  let engine: Engine | undefined;
  let metricsEndpoint: MetricsEndpoint | undefined;
  try {
    engine = await createEngine({
      store,
      limits: settings.limits,
      autoCreate: settings.autoCreate,
      clock: systemClock,
      logger,
      metrics,
    });
    const grpc = createEdge(engine, settings, metrics, logger);
    if (settings.metrics !== undefined) metricsEndpoint = await serveMetrics(metrics, settings.metrics);
    const address = await grpc.listen(addressText(settings.listen));
    return running(address, { grpc, engine, store, metricsEndpoint, settings });
  } catch (error) {
    await metricsEndpoint?.close();
    await engine?.close();
    await store.close();
    throw error;
  }
}

function createEdge(engine: Engine, settings: Settings, metrics: Metrics, logger: Logger): GrpcServer {
  return createGrpcServer({
    engine,
    limits: settings.limits,
    routeGuide: settings.routeGuide,
    liveStreams: createLiveStreams(systemClock),
    clock: systemClock,
    metrics,
    logger,
    options: {
      keepaliveTimeMs: settings.keepaliveMs,
      keepaliveTimeoutMs: settings.keepaliveMs / 2,
      maxConcurrentStreams: settings.streamsPerConnection,
      receiveBytesMax: settings.receiveBytes,
    },
  });
}

function running(
  address: string,
  parts: {
    readonly grpc: GrpcServer;
    readonly engine: Engine;
    readonly store: Store;
    readonly metricsEndpoint: MetricsEndpoint | undefined;
    readonly settings: Settings;
  },
): RunningServer {
  const { grpc, engine, store, metricsEndpoint, settings } = parts;
  let drained: Promise<DrainEnd> | undefined;

  async function takeDown(): Promise<DrainEnd> {
    const { wasForced } = await grpc.drain(settings.drainGraceMs);
    await engine.close();
    await store.close();
    await metricsEndpoint?.close();
    return wasForced ? "cut-off" : "ended";
  }

  /** A statement may wait for its lock, or for an answer that never comes, for much longer. */
  async function drainOnce(): Promise<DrainEnd> {
    let cancelTimer: (() => void) | undefined;
    const late = new Promise<DrainEnd>((resolve) => {
      cancelTimer = systemClock.startTimer(settings.drainGraceMs + closingMs, () => resolve("unanswered"));
    });
    try {
      return await Promise.race([takeDown(), late]);
    } finally {
      cancelTimer?.();
    }
  }

  return {
    address,
    metricsAddress: metricsEndpoint?.address,
    drain() {
      drained ??= drainOnce();
      return drained;
    },
  };
}

function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
