import { addAdminServicesToServer, Server, ServerCredentials } from "@grpc/grpc-js";
import type { Limits } from "../core/index.js";
import type { Engine } from "../engine/index.js";
import { fileDescriptorSet } from "../gen/descriptor-set.js";
import { yieldToEventLoop } from "../streams/index.js";
import { type Clock, type LiveStreams, type Logger, type Metrics, systemClock } from "../telemetry/index.js";
import { type Calls, createCalls } from "./calls.js";
import { createHealth } from "./health.js";
import { inspectService } from "./inspect-service.js";
import { pullRequests } from "./pulled-requests.js";
import { sendPrefixed } from "./sent-messages.js";
import { recordService } from "./record-service.js";
import { reflectionMethods } from "./reflection.js";
import {
  defaultRouteGuideTopics,
  routeGuideService,
  type RouteGuideTopics,
} from "./route-guide/route-guide-service.js";
import { stateService } from "./state-service.js";
import { subscriptionService } from "./subscriptions/subscription-service.js";
import { topicService } from "./topic-service.js";

export interface GrpcServerOptions {
  /** Streams that one connection may have open at once. */
  readonly maxConcurrentStreams: number;
  /** Interval of the keepalive pings on a connection, in milliseconds. */
  readonly keepaliveTimeMs: number;
  /** A connection is closed when it has not answered a ping in this time, in milliseconds. */
  readonly keepaliveTimeoutMs: number;
  /** Largest request message, in bytes; a larger one gives RESOURCE_EXHAUSTED. */
  readonly receiveBytesMax: number;
}

export const defaultGrpcServerOptions: GrpcServerOptions = {
  maxConcurrentStreams: 1000,
  keepaliveTimeMs: 20_000,
  keepaliveTimeoutMs: 10_000,
  // gRPC's own default, fixed here because a batch's limit relies on it (grpc-js.md #10).
  receiveBytesMax: 4 * 1024 * 1024,
};

export interface GrpcServerParts {
  readonly engine: Engine;
  readonly limits: Limits;
  readonly liveStreams: LiveStreams;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
  readonly options?: Partial<GrpcServerOptions>;
  readonly routeGuide?: RouteGuideTopics;
}

export interface GrpcServer {
  /** Binds HOST:PORT, plaintext, and serves. Port 0 takes a free port. Resolves with the bound address. */
  listen(address: string): Promise<string>;
  /**
   * Stops serving: reports NOT_SERVING and ends all streams with the position to resume from. For `graceMs`, calls may
   * finish and consumers may settle their deliveries; then the rest is cut off. Never rejects. A second call returns
   * the same promise.
   */
  drain(graceMs: number): Promise<DrainOutcome>;
}

export interface DrainOutcome {
  /** Some calls did not end within the grace. Streams whose clients had stopped reading end with CANCELLED. */
  readonly wasForced: boolean;
}

/**
 * The last part of a drain's grace, in milliseconds: no more verdicts are taken, and those taken are confirmed.
 */
const confirmMs = 500;

/** Services of other protocols that health and reflection list. */
const borrowedServices = [
  "grpc.health.v1.Health",
  "grpc.channelz.v1.Channelz",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

export function createGrpcServer(parts: GrpcServerParts): GrpcServer {
  const { engine, limits, liveStreams, clock = systemClock } = parts;
  const calls = createCalls({ ...parts, clock });
  const methods = [
    ...topicService(calls, engine, limits),
    ...recordService(calls, engine, limits),
    ...subscriptionService(calls, engine, limits),
    ...stateService(calls, engine),
    ...inspectService(calls, engine, liveStreams),
    ...routeGuideService(calls, { engine, limits, clock, topics: parts.routeGuide ?? defaultRouteGuideTopics }),
  ];
  // "/package.Service/Method"
  const ours = [...new Set(methods.map(({ path }) => path.slice(1, path.lastIndexOf("/"))))];
  const services = [...ours, ...borrowedServices];
  const health = createHealth(calls, services);
  const server = new Server(serverOptions({ ...defaultGrpcServerOptions, ...parts.options }));
  for (const method of [...methods, ...health.methods, ...reflectionMethods(calls, fileDescriptorSet(), services)]) {
    method.register(server);
  }
  // Channelz, which grpc-js fills itself.
  addAdminServicesToServer(server);

  let draining: Promise<DrainOutcome> | undefined;
  const drain = async (graceMs: number): Promise<DrainOutcome> => {
    // The order matters (grpc-js.md #15): `tryShutdown` waits for every stream, so all streams must be asked to end.
    health.set("NOT_SERVING");
    // Watchers of the health receive NOT_SERVING before their streams end.
    await yieldToEventLoop();
    calls.drain();
    // The rest of the grace suffices to write and confirm the verdicts received until then.
    const cancelTimer = clock.startTimer(graceMs - Math.min(confirmMs, graceMs / 2), () => calls.stopRequests());
    const wasForced = await shutDown(server, clock, graceMs);
    cancelTimer();
    // Handlers of calls that were cut off must end before the engine is closed.
    await released(calls, clock, parts.logger);
    return { wasForced };
  };
  return {
    listen: (address) => listen(server, address),
    drain: (graceMs) => (draining ??= drain(graceMs)),
  };
}

function serverOptions(options: GrpcServerOptions) {
  return {
    interceptors: [sendPrefixed, pullRequests],
    // Both are off by default (grpc-js.md #8). grpc-js servers also ping connections without calls, and accept clients'
    // pings at any rate.
    "grpc.keepalive_time_ms": options.keepaliveTimeMs,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs,
    "grpc.max_concurrent_streams": options.maxConcurrentStreams,
    "grpc.max_receive_message_length": options.receiveBytesMax,
  };
}

function listen(server: Server, address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) reject(new Error(`Cannot listen on ${address}: ${error.message}`, { cause: error }));
      else resolve(address.replace(/:\d+$/, `:${port}`));
    });
  });
}

/** Waits up to a second for the handlers, whose calls have all ended. A handler that hangs is a bug and is logged. */
async function released(calls: Calls, clock: Clock, logger: Logger): Promise<void> {
  const late = new AbortController();
  const cancelTimer = clock.startTimer(1000, () => late.abort());
  try {
    await calls.tasks.settled(late.signal);
  } catch {
    logger.error({ handlers: calls.tasks.size }, "Calls have ended, but their handlers have not");
  } finally {
    cancelTimer();
  }
}

/** Waits until all calls have ended, or cuts them off after `graceMs`. Resolves with whether any were cut off. */
function shutDown(server: Server, clock: Clock, graceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    let wasForced = false;
    const cancelTimer = clock.startTimer(graceMs, () => {
      wasForced = true;
      server.forceShutdown();
    });
    server.tryShutdown(() => {
      cancelTimer();
      resolve(wasForced);
    });
  });
}
