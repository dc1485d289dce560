import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  credentials as channelCredentials,
  Metadata,
} from "@grpc/grpc-js";
import { sleep, systemTimers, type Timers } from "../streams/index.js";
import { ChannelWatch } from "./channel-watch.js";
import { clientError, errorOfStatus, withAbortReason } from "./client-error.js";
import { openCall, type StreamingCall } from "./streaming-call.js";

/** Where the server is, and how to talk to it. */
export interface ConnectionOptions {
  /** HOST:PORT. Default 127.0.0.1:50051. */
  readonly address?: string;
  /** Default: plaintext. */
  readonly credentials?: ChannelCredentials;
  /** HTTP/2 flow-control window of each stream, in bytes. Default 1 MiB: grpc-js's own 64 KiB makes replays slow. */
  readonly windowBytes?: number;
  /** Interval of the keepalive pings on a connection with calls, in milliseconds. Default 20 000. */
  readonly keepaliveMs?: number;
  /** Time limit of a unary call, with its retries, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
  /** Further options of grpc-js; they override those above. */
  readonly channelOptions?: ChannelOptions;
}

/** Options of a unary call. */
export interface UnaryOptions {
  /** Time limit, in milliseconds. Default: the client's. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A method, in the shape of ts-proto's service definitions. */
export interface MethodShape<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** The longest delay of a Node.js timer. */
const timerMsMax = 2 ** 31 - 1;
/** `grpc-timeout` has at most eight digits. */
const headerMsMax = 99_999_999;
/** Clients that lost the same server reconnect at random moments within this time, not all at once. */
const returnSpreadMs = 500;
/** A server that accepts connections and closes them is not away. Its clients wait their whole backoff. */
const awayMsMin = 500;

/** One channel to one server, shared by all calls of a client. */
export class Connection {
  readonly address: string;
  readonly #client: Client;
  readonly #watch: ChannelWatch;
  /** Default time limit of unary calls, in milliseconds. */
  readonly timeoutMs: number;
  /** The clock for all waits of the client. */
  readonly timers: Timers;

  constructor(options: ConnectionOptions = {}, timers: Timers = systemTimers) {
    this.timers = timers;
    this.address = options.address ?? "127.0.0.1:50051";
    this.timeoutMs = options.timeoutMs ?? 30_000;
    const credentials = options.credentials ?? channelCredentials.createInsecure();
    this.#client = new Client(this.address, credentials, channelOptions(options));
    this.#watch = new ChannelWatch(this.#client, timers);
  }

  /**
   * Makes a unary call. Throws a ClientError, or the signal's reason. A timer here enforces the time limit, and a
   * header gives it to the server as a duration: grpc-js takes only wall-clock times, and the wall clock can jump.
   */
  unary<Request, Response>(
    method: MethodShape<Request, Response>,
    request: Request,
    { timeoutMs = this.timeoutMs, signal }: UnaryOptions = {},
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const { path, requestSerialize, responseDeserialize } = method;
      const cancel = () => call.cancel();
      const limitMs = Math.max(0, Math.min(Math.ceil(timeoutMs), timerMsMax));
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        limitedTo(limitMs),
        (error, response) => {
          cancelTimer();
          signal?.removeEventListener("abort", cancel);
          if (error !== null) reject(withAbortReason(errorOfStatus(error), signal));
          else resolve(response as Response);
        },
      );
      const cancelTimer = this.timers.startTimer(limitMs, () => {
        reject(clientError("DEADLINE_EXCEEDED", `The server did not answer within ${timeoutMs / 1000} s`));
        cancel();
      });
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** Opens a server-streaming call and sends its request. */
  serverStream<Request, Response>(
    method: MethodShape<Request, Response>,
    request: Request,
  ): StreamingCall<Request, Response> {
    return openCall((options) => {
      const { path, requestSerialize, responseDeserialize } = method;
      return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, options);
    });
  }

  /** Opens a bidirectional call. */
  bidiStream<Request, Response>(method: MethodShape<Request, Response>): StreamingCall<Request, Response> {
    return openCall((options) => {
      const { path, requestSerialize, responseDeserialize } = method;
      return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, options);
    });
  }

  /**
   * Waits `delayMs` before a retry. If the server is away, the wait ends earlier, at a random moment after a connection
   * is there again: clients of one server must not all return at once. Rejects with the signal's reason.
   */
  waitToRetry(delayMs: number, signal?: AbortSignal): Promise<void> {
    const waitMs = Math.min(delayMs, timerMsMax);
    if (this.#watch.connect()) return sleep(waitMs, this.timers, signal);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const endsAtMs = this.timers.monotonicMs() + waitMs;
      const stop = () => {
        forget();
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        stop();
        reject(signal?.reason);
      };
      const over = () => {
        stop();
        resolve();
      };
      let cancelTimer = this.timers.startTimer(waitMs, over);
      const forget = this.#watch.onConnected((awayMs) => {
        if (awayMs < awayMsMin) return;
        cancelTimer();
        const leftMs = Math.max(0, endsAtMs - this.timers.monotonicMs());
        cancelTimer = this.timers.startTimer(Math.min(leftMs, Math.random() * returnSpreadMs), over);
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Closes the channel; running calls end with CANCELLED or UNAVAILABLE. */
  close(): void {
    this.#client.close();
  }
}

function limitedTo(ms: number): Metadata {
  const metadata = new Metadata();
  if (ms <= headerMsMax) metadata.set("grpc-timeout", `${ms}m`);
  return metadata;
}

function channelOptions(options: ConnectionOptions): ChannelOptions {
  return {
    "grpc-node.flow_control_window": options.windowBytes ?? 1_048_576,
    "grpc.keepalive_time_ms": options.keepaliveMs ?? 20_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // A retry buffer would keep all that a long Publish wrote (grpc-js.md #16); this client retries calls itself.
    "grpc.enable_retries": 0,
    // Twice grpc-js's default: the server's messages stay below 4 MiB, whatever they hold.
    "grpc.max_receive_message_length": 8 * 1_048_576,
    // Short: `waitToRetry` waits for the channel, which connects within two seconds after the server is back.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    // Clients in one process do not share a connection: each has its own flow-control window and its own close.
    "grpc.use_local_subchannel_pool": 1,
    ...options.channelOptions,
  };
}
