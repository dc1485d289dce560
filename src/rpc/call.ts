import { randomUUID } from "node:crypto";
import { type Metadata, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { MillraceError, type Position } from "../core/index.js";
import type { Clock, LiveStream, LiveStreams, Logger, Metrics } from "../telemetry/index.js";
import type { MethodContext } from "./method.js";
import { type CallStatus, internalStatus, plainStatus, StatusError, statusOfError } from "./status.js";

/** The part of grpc-js's call objects that all call kinds have. */
export interface Transport extends Pick<ServerUnaryCall<unknown, unknown>, "metadata" | "getPeer" | "getDeadline"> {
  on(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
}

/** What a call needs of the server. */
export interface CallEnvironment {
  readonly path: string;
  readonly isQuiet: boolean;
  readonly takesRequestsWhileDraining: boolean;
  readonly streams: LiveStreams;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Runs once, when the call has ended. */
  onEnd(call: Call): void;
}

/** The longest delay of a Node.js timer; deadlines of grpc-js wrap below it anyway (grpc-js.md #17). */
const timerMsMax = 2 ** 31 - 1;
/** A deadline is rounded to milliseconds, and grpc-js's timer may fire a little early. */
const deadlineSlackMs = 5;

/**
 * One call of any kind, from its first byte to its status.
 *
 *   open ──the client cancels, its deadline passes, its transport fails──▶ gone ──▶ ended
 *     ├──the node drains (streams only)──▶ draining ──▶ ended, or gone
 *     └──the handler is done or throws──▶ ended
 *
 * `signal` aborts when the call becomes gone or draining, `gone` only when it becomes gone: a draining stream may still
 * send. `requestsStopped` aborts when no more requests are taken: together with `signal`, or later for
 * `takesRequestsWhileDraining`.
 */
export class Call implements MethodContext {
  readonly signal: AbortSignal;
  /** Aborts when the client can no longer receive. */
  readonly gone: AbortSignal;
  /** Aborts when no more requests are taken. */
  readonly requestsStopped: AbortSignal;
  readonly stream: LiveStream;
  readonly metadata: Metadata;
  position: Position | undefined;
  readonly #abort = new AbortController();
  readonly #lost = new AbortController();
  readonly #requestsStop = new AbortController();
  readonly #transport: Transport;
  readonly #environment: CallEnvironment;
  readonly #startedAtMs: number;
  /** By the monotonic clock; Infinity: none. */
  readonly #deadlineAtMs: number;
  readonly #cancelDeadline: (() => void) | undefined;
  #bytesReceived = 0;
  #goneCode: status = status.CANCELLED;
  #ended: CallStatus | undefined;

  constructor(transport: Transport, environment: CallEnvironment) {
    this.#transport = transport;
    this.#environment = environment;
    this.signal = this.#abort.signal;
    this.gone = this.#lost.signal;
    this.requestsStopped = this.#requestsStop.signal;
    this.metadata = transport.metadata;
    this.stream = environment.streams.open(transport.getPeer(), environment.path);
    environment.metrics.callsStarted.inc({ method: environment.path });
    transport.on("cancelled", this.#onCancelled);
    const { clock } = environment;
    this.#startedAtMs = clock.monotonicMs();
    // grpc-js gives the deadline as a wall-clock time. It becomes a duration at once, because that clock may be set.
    const leftMs = Number(transport.getDeadline()) - clock.wallMicros() / 1000;
    this.#deadlineAtMs = this.#startedAtMs + leftMs;
    // With a stalled peer, grpc-js never reports that the deadline has passed (grpc-js.md #22).
    if (Number.isFinite(leftMs)) {
      this.#cancelDeadline = clock.startTimer(Math.max(0, Math.min(leftMs, timerMsMax)), this.#onDeadline);
    }
  }

  get isDraining(): boolean {
    return this.signal.aborted && !this.gone.aborted;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Counts a request message. */
  received(bytes: number): void {
    this.#bytesReceived += bytes;
  }

  /** Counts a response message that the transport has taken. */
  delivered(bytes: number, records: number, position: Position | undefined): void {
    const { metrics } = this.#environment;
    this.stream.bytesSent += bytes;
    this.stream.messagesSent += 1;
    if (position !== undefined) this.position = position;
    metrics.bytesOut.inc(bytes);
    if (records > 0) metrics.recordsOut.inc(records);
  }

  /** Asks this stream to end. Its client receives `reason`. */
  drain(reason: MillraceError): void {
    this.#abort.abort(reason);
    if (!this.#environment.takesRequestsWhileDraining) this.stopRequests();
  }

  /** Takes no more requests. */
  stopRequests(): void {
    this.#requestsStop.abort(this.signal.reason);
  }

  /** The transport has failed. */
  lose(cause: unknown): void {
    this.#leave(status.CANCELLED, "The connection to the client is lost", cause);
  }

  /** Ends the call with OK. */
  succeed(): void {
    this.#end(plainStatus(status.OK, "OK"));
  }

  /** Ends the call with an error. Returns the status to send. */
  fail(error: unknown): CallStatus {
    return this.#end(this.#statusOf(error));
  }

  /** Logs an error that was thrown after the call's status was decided. */
  report(error: unknown): void {
    if (error === this.signal.reason || error === this.gone.reason || isRefusal(error)) return;
    this.#environment.logger.error({ method: this.stream.method, err: error }, "A call failed after its end");
  }

  #statusOf(error: unknown): CallStatus {
    if (this.gone.aborted) {
      this.report(error);
      return plainStatus(this.#goneCode, this.#goneCode === status.CANCELLED ? "Cancelled" : "Deadline exceeded");
    }
    // A stream that the drain ended sends the drain's reason, whatever abort error its method threw.
    const cause = this.isDraining && isAbort(error) ? this.signal.reason : error;
    if (cause instanceof MillraceError && cause.code !== "internal") {
      return statusOfError(cause, cause.code === "draining" ? this.#resumption() : {});
    }
    if (cause instanceof StatusError) return plainStatus(cause.code, cause.message);
    if (isAbort(cause)) return plainStatus(status.CANCELLED, "Cancelled");
    const id = randomUUID();
    this.#environment.logger.error({ id, method: this.stream.method, err: cause }, "A call failed");
    return internalStatus(id);
  }

  /** Where the client resumes, for the ErrorInfo in the trailers. */
  #resumption(): Record<string, string> {
    const facts: Record<string, string> = {};
    if (this.stream.topic !== "") facts.topic = this.stream.topic;
    if (this.position !== undefined) {
      facts.epoch = String(this.position.epoch);
      facts.offset = String(this.position.offset);
    }
    return facts;
  }

  #end(ended: CallStatus): CallStatus {
    if (this.#ended !== undefined) return this.#ended;
    this.#ended = ended;
    this.#cancelDeadline?.();
    // It also fires at the end of successful calls (grpc-js.md #4).
    this.#transport.off("cancelled", this.#onCancelled);
    const { path, streams, metrics, onEnd } = this.#environment;
    streams.close(this.stream);
    metrics.callsEnded.inc({ method: path, status: status[ended.code] });
    this.#log(ended);
    onEnd(this);
    return ended;
  }

  /** The access log: one line per call, at its end. */
  #log(ended: CallStatus): void {
    const { path, isQuiet, logger, clock } = this.#environment;
    const { peer, topic, messagesSent, bytesSent } = this.stream;
    const fields = {
      method: path,
      peer,
      topic,
      status: status[ended.code],
      durationMs: Math.round((clock.monotonicMs() - this.#startedAtMs) * 10) / 10,
      messagesSent,
      bytesSent,
      bytesReceived: this.#bytesReceived,
    };
    if (isQuiet) logger.debug(fields, "call");
    else logger.info(fields, "call");
  }

  #leave(code: status, text: string, cause?: unknown): void {
    if (this.gone.aborted || this.hasEnded) return;
    this.#goneCode = code;
    const reason = new MillraceError("call-ended", text, { cause });
    this.#lost.abort(reason);
    this.#abort.abort(reason);
    this.#requestsStop.abort(reason);
  }

  readonly #onCancelled = (): void => {
    // If the peer still receives, grpc-js's own deadline timer ends the call first, also with "cancelled".
    const isDeadline = this.#environment.clock.monotonicMs() >= this.#deadlineAtMs - deadlineSlackMs;
    if (isDeadline) this.#onDeadline();
    else this.#leave(status.CANCELLED, "The client cancelled the call");
  };

  readonly #onDeadline = (): void => {
    this.#leave(status.DEADLINE_EXCEEDED, "The call's deadline passed");
  };
}

function isAbort(error: unknown): boolean {
  if (error instanceof MillraceError) return error.code === "call-ended" || error.code === "draining";
  return error instanceof Error && error.name === "AbortError";
}

function isRefusal(error: unknown): boolean {
  return isAbort(error) || (error instanceof MillraceError && error.code !== "internal");
}
