import { randomUUID } from "node:crypto";
import { type Metadata, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { MillraceError, type Position } from "../core/index.js";
import type { Clock, LiveStream, LiveStreams, Logger, Metrics } from "../telemetry/index.js";
import type { CallContext } from "./method.js";
import { type CallStatus, internalStatus, plainStatus, StatusError, statusOfError } from "./status.js";

/** What every call kind's grpc-js object offers. */
export interface Transport extends Pick<ServerUnaryCall<unknown, unknown>, "metadata" | "getPeer" | "getDeadline"> {
  on(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
}

/** What a call reports to. */
export interface CallEnvironment {
  readonly path: string;
  readonly isQuiet: boolean;
  readonly hearsWhileDraining: boolean;
  readonly streams: LiveStreams;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Runs once, when the call has ended. */
  onEnd(call: Call): void;
}

/** A timer takes no more; deadlines of grpc-js wrap below that anyway (grpc-js.md #17). */
const timerMsMax = 2 ** 31 - 1;
/** The deadline is in whole milliseconds, and grpc-js's timer for it may fire a little early. */
const deadlineSlackMs = 5;

/**
 * One call of any kind, from its first byte to its status.
 *
 *   open ──the client cancels, its deadline passes, its transport fails──▶ gone ──▶ ended
 *     ├──the node drains (streams only)──▶ draining ──▶ ended, or gone
 *     └──the handler is done or throws──▶ ended
 *
 * `signal` aborts on the way to gone and to draining, `gone` only on the way to gone: a draining stream may still send.
 * `unheard` aborts when nothing more is taken from the client: as `signal` does, or later, where a method hears verdicts
 * while the node drains.
 */
export class Call implements CallContext {
  readonly signal: AbortSignal;
  /** Aborts when nobody is left to send to. */
  readonly gone: AbortSignal;
  /** Aborts when no request is taken any more. */
  readonly unheard: AbortSignal;
  readonly stream: LiveStream;
  readonly metadata: Metadata;
  position: Position | undefined;
  readonly #abort = new AbortController();
  readonly #lost = new AbortController();
  readonly #deaf = new AbortController();
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
    this.unheard = this.#deaf.signal;
    this.metadata = transport.metadata;
    this.stream = environment.streams.open(transport.getPeer(), environment.path);
    environment.metrics.callsStarted.inc({ method: environment.path });
    transport.on("cancelled", this.#onCancelled);
    const { clock } = environment;
    this.#startedAtMs = clock.monotonicMs();
    // grpc-js makes a moment of the wall clock of it: turned back into a duration at once, since that clock may be set.
    const leftMs = Number(transport.getDeadline()) - clock.wallMicros() / 1000;
    this.#deadlineAtMs = this.#startedAtMs + leftMs;
    // With a stalled peer grpc-js never says that the deadline passed (grpc-js.md #22).
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

  /** Counts a response message that the transport took. */
  delivered(bytes: number, records: number, position: Position | undefined): void {
    const { metrics } = this.#environment;
    this.stream.bytesSent += bytes;
    this.stream.messagesSent += 1;
    if (position !== undefined) this.position = position;
    metrics.bytesOut.inc(bytes);
    if (records > 0) metrics.recordsOut.inc(records);
  }

  /** The node wants this stream to end; `reason` is what its client is told. */
  drain(reason: MillraceError): void {
    this.#abort.abort(reason);
    if (!this.#environment.hearsWhileDraining) this.stopHearing();
  }

  /** What the client says from now on is not taken. */
  stopHearing(): void {
    this.#deaf.abort(this.signal.reason);
  }

  /** The transport does not take messages any more. */
  lose(cause: unknown): void {
    this.#leave(status.CANCELLED, "The connection to the client is lost", cause);
  }

  /** Ends the call well. */
  succeed(): void {
    this.#end(plainStatus(status.OK, "OK"));
  }

  /** Ends the call with what was thrown, and gives the status to send. */
  fail(error: unknown): CallStatus {
    return this.#end(this.#statusOf(error));
  }

  /** Reports a fault that no status can tell any more. */
  report(error: unknown): void {
    if (error === this.signal.reason || error === this.gone.reason || isRefusal(error)) return;
    this.#environment.logger.error({ method: this.stream.method, err: error }, "A call failed after its end");
  }

  #statusOf(error: unknown): CallStatus {
    if (this.gone.aborted) {
      this.report(error);
      return plainStatus(this.#goneCode, this.#goneCode === status.CANCELLED ? "Cancelled" : "Deadline exceeded");
    }
    // A stream that stopped since the node drains is told so, whatever its method made of the abort.
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

  /** Where the client resumes, for the trailing ErrorInfo. */
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
    // It fires at the end of calls that went well, too (grpc-js.md #4).
    this.#transport.off("cancelled", this.#onCancelled);
    const { path, streams, metrics, onEnd } = this.#environment;
    streams.close(this.stream);
    metrics.callsEnded.inc({ method: path, status: status[ended.code] });
    this.#log(ended);
    onEnd(this);
    return ended;
  }

  /** The access log: one line a call, at its end. */
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
    this.#deaf.abort(reason);
  }

  readonly #onCancelled = (): void => {
    // grpc-js's own deadline timer answers first where the peer takes the answer, and that ends in "cancelled" too.
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
