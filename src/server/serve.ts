/** The composition root: the only place that builds everything and closes it in order. */

import { fileURLToPath } from "node:url";
import { createEngine, type Engine } from "../engine/index.js";
import { createGrpcServer, type GrpcServer } from "../rpc/index.js";
import { openPostgresStore } from "../store/postgres/index.js";
import type { Store } from "../store/index.js";
import { createLiveStreams, createMetrics, type Logger, type Metrics, systemClock } from "../telemetry/index.js";
import { type MetricsEndpoint, serveMetrics } from "./metrics-endpoint.js";
import type { Settings } from "./settings.js";

export interface RunningServer {
  /** The bound HOST:PORT. */
  readonly address: string;
  /** HOST:PORT of the metrics page, if there is one. */
  readonly metricsAddress: string | undefined;
  /**
   * Ends all streams with their positions, lets running calls finish, and closes the database. Resolves within the
   * grace and a second, whatever the database does. Every call returns the same promise.
   */
  drain(): Promise<DrainEnd>;
}

/** `cut-off`: some calls did not end within the grace. `unanswered`: the database did not answer; it is still open. */
export type DrainEnd = "ended" | "cut-off" | "unanswered";

/** The time after the grace in which the handlers of cut-off calls end and the database closes. */
const closingMs = 900;

/** Where the build puts the template of embedded databases. */
const templates = fileURLToPath(new URL("../templates", import.meta.url));

/**
 * Starts a node. Throws when the database cannot be reached, another process uses its folder, or an address is taken.
 */
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
    const grpc = createEdge(engine, settings, { metrics, logger });
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

function createEdge(
  engine: Engine,
  settings: Settings,
  { metrics, logger }: { readonly metrics: Metrics; readonly logger: Logger },
): GrpcServer {
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

  /** With a time limit, because a statement may wait much longer for a lock or an answer. */
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
