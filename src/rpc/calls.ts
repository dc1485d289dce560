import { MillraceError } from "../core/index.js";
import { type TaskTracker, trackTasks } from "../streams/index.js";
import { type Clock, createLiveStreams, type LiveStreams, type Logger, type Metrics } from "../telemetry/index.js";
import { Call, type Transport } from "./call.js";
import type { MethodOptions } from "./method.js";

/** How long a client of a draining node waits before it tries again, in milliseconds. */
const drainRetryMs = 500;

export interface CallsOptions {
  readonly liveStreams: LiveStreams;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** The node's calls: what adapters open them with, and what drains them. */
export interface Calls {
  /** Opens a call. While the node drains its signal has aborted already. */
  open(transport: Transport, path: string, kind: "unary" | "stream", options?: MethodOptions): Call;
  /** Takes in what a handler does: grpc-js calls handlers without awaiting them (grpc-js.md #5). */
  readonly tasks: TaskTracker;
  /**
   * Ends every stream with UNAVAILABLE and the position to resume from, and refuses new calls. Unary ones finish, and
   * consumers settle what they have.
   */
  drain(): void;
  /** Later: what consumers have not settled by now, they do not settle here. */
  stopHearing(): void;
}

export function createCalls({ liveStreams, metrics, logger, clock }: CallsOptions): Calls {
  // Unary calls are over before anybody looks, and a listing would list itself.
  const unlisted = createLiveStreams(clock);
  const streams = new Set<Call>();
  const onEnd = (call: Call) => void streams.delete(call);
  let drainReason: MillraceError | undefined;
  return {
    tasks: trackTasks((error) => logger.error({ err: error }, "A call's handler failed")),
    open(transport, path, kind, { isQuiet = false, hearsWhileDraining = false, servesWhileDraining = false } = {}) {
      const registry = kind === "stream" ? liveStreams : unlisted;
      const environment = { path, isQuiet, hearsWhileDraining, streams: registry, metrics, logger, clock, onEnd };
      const call = new Call(transport, environment);
      if (kind === "stream") streams.add(call);
      if (drainReason !== undefined && !servesWhileDraining) call.drain(drainReason);
      return call;
    },
    drain() {
      if (drainReason !== undefined) return;
      drainReason = new MillraceError("draining", "The node is shutting down: go on at another, or in a moment", {
        retryDelayMs: drainRetryMs,
      });
      for (const call of streams) call.drain(drainReason);
    },
    stopHearing() {
      for (const call of streams) call.stopHearing();
    },
  };
}
