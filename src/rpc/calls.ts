import { MillraceError } from "../core/index.js";
import { type TaskTracker, trackTasks } from "../streams/index.js";
import { type Clock, createLiveStreams, type LiveStreams, type Logger, type Metrics } from "../telemetry/index.js";
import { Call, type Transport } from "./call.js";
import type { MethodOptions } from "./method.js";

/** How long a client of a draining node waits before a retry, in milliseconds. */
const drainRetryMs = 500;

export interface CallsOptions {
  readonly liveStreams: LiveStreams;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface OpenedMethod extends MethodOptions {
  readonly path: string;
}

/** The node's calls: adapters open them here, and the server drains them. */
export interface Calls {
  /** Opens a call. While the node drains, its signal is already aborted. */
  open(transport: Transport, method: OpenedMethod, kind: "unary" | "stream"): Call;
  /** The running handlers: grpc-js does not await them (grpc-js.md #5). */
  readonly tasks: TaskTracker;
  /**
   * Ends all streams with UNAVAILABLE and the position to resume from, and refuses new calls. Unary calls finish, and
   * consumers may settle their deliveries.
   */
  drain(): void;
  /** Later in the drain: takes no more verdicts from consumers. */
  stopRequests(): void;
}

export function createCalls({ liveStreams, metrics, logger, clock }: CallsOptions): Calls {
  // Unary calls are not listed: they are short, and a listing would list itself.
  const unlisted = createLiveStreams(clock);
  const streams = new Set<Call>();
  const onEnd = (call: Call) => void streams.delete(call);
  let drainReason: MillraceError | undefined;
  return {
    tasks: trackTasks((error) => logger.error({ err: error }, "A call's handler failed")),
    open(transport, { path, isQuiet = false, takesRequestsWhileDraining = false, servesWhileDraining = false }, kind) {
      const registry = kind === "stream" ? liveStreams : unlisted;
      const environment = {
        path,
        isQuiet,
        takesRequestsWhileDraining,
        streams: registry,
        metrics,
        logger,
        clock,
        onEnd,
      };
      const call = new Call(transport, environment);
      if (kind === "stream") streams.add(call);
      if (drainReason !== undefined && !servesWhileDraining) call.drain(drainReason);
      return call;
    },
    drain() {
      if (drainReason !== undefined) return;
      drainReason = new MillraceError(
        "draining",
        "The node is shutting down: continue at another node, or retry in a moment",
        {
          retryDelayMs: drainRetryMs,
        },
      );
      for (const call of streams) call.drain(drainReason);
    },
    stopRequests() {
      for (const call of streams) call.stopRequests();
    },
  };
}
