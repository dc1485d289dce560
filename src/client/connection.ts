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
  /** How often to ask an active connection whether it lives, in milliseconds. Default 20 000. */
  readonly keepaliveMs?: number;
  /** Time limit of unary calls with their retries, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
  /** Further options of grpc-js; they win. */
  readonly channelOptions?: ChannelOptions;
}

/** What unary calls take besides their request. */
export interface UnaryOptions {
  /** Time limit, in milliseconds. Default: the client's. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A method, as ts-proto's service definitions have it. */
export interface MethodShape<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** The longest delay of a timer, and the most milliseconds that the header takes, of eight digits. */
const timerMsMax = 2 ** 31 - 1;
const headerMsMax = 99_999_999;
/** Clients that lost a server together come back to it within so long, and not all at once. */
const returnSpreadMs = 500;
/** A server that takes connections and breaks them off is not away: its clients wait as long as their backoff says. */
const awayMsMin = 500;

/** One channel to one server; all calls of a client share it. */
export class Connection {
  readonly address: string;
  readonly #client: Client;
  readonly #watch: ChannelWatch;
  /** Time limit of unary calls, in milliseconds. */
  readonly timeoutMs: number;
  /** What every wait of the client is measured by. */
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
   * Makes a unary call. Throws a ClientError, or the signal's reason. The time limit is kept here, and told to the server as
   * the duration that it is: grpc-js takes deadlines as moments of the wall clock, which jumps when it is set.
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

  /** Opens a call whose server streams, to a request that is sent at once. */
  serverStream<Request, Response>(
    method: MethodShape<Request, Response>,
    request: Request,
  ): StreamingCall<Request, Response> {
    return openCall((options) => {
      const { path, requestSerialize, responseDeserialize } = method;
      return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, options);
    });
  }

  /** Opens a call whose both sides stream. */
  bidiStream<Request, Response>(method: MethodShape<Request, Response>): StreamingCall<Request, Response> {
    return openCall((options) => {
      const { path, requestSerialize, responseDeserialize } = method;
      return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, options);
    });
  }

  /**
   * Waits before another try: for `delayMs`; or, while the server is away, until there is a connection to it again, and a
   * moment more, so that those who lost it together do not come back together. Rejects with the signal's reason.
   */
  waitToRetry(delayMs: number, signal?: AbortSignal): Promise<void> {
    const mostMs = Math.min(delayMs, timerMsMax);
    if (this.#watch.connect()) return sleep(mostMs, this.timers, signal);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const endsAt = this.timers.monotonicMs() + mostMs;
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
      let cancelTimer = this.timers.startTimer(mostMs, over);
      const forget = this.#watch.onConnected((awayMs) => {
        if (awayMs < awayMsMin) return;
        cancelTimer();
        const leftMs = Math.max(0, endsAt - this.timers.monotonicMs());
        cancelTimer = this.timers.startTimer(Math.min(leftMs, Math.random() * returnSpreadMs), over);
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Closes the channel; calls under way end in CANCELLED or UNAVAILABLE. */
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
    // A retry buffer would keep what a long Publish wrote (grpc-js.md #16); we repeat calls ourselves.
    "grpc.enable_retries": 0,
    // A record of 1 MiB with its message around it is far below; 0 topics can make the server send more than 4 MiB.
    "grpc.max_receive_message_length": 8 * 1_048_576,
    // Calls that fail while the channel waits fail at once; ours wait for it, so it looks often: back within two seconds.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    // Clients of one process to one address do not share a session: each has its own window and its own close.
    "grpc.use_local_subchannel_pool": 1,
    ...options.channelOptions,
  };
}
