import { type CallOptions, InterceptingCall, type Listener, status } from "@grpc/grpc-js";
import { abortable, type Deferred, deferred } from "../streams/index.js";
import { type EndStatus, errorOfStatus } from "./client-error.js";

/** A call with a streamed response, and possibly a streamed request, pulled message by message. */
export interface StreamingCall<Request, Response> {
  /**
   * The next message; undefined when the call has ended with OK. Rejects with a ClientError when it ended otherwise. An
   * aborted signal rejects with its reason and does not end the call. Only one `receive` at a time.
   */
  receive(signal?: AbortSignal): Promise<Response | undefined>;
  /** Sends a message. Resolves when the transport has taken it, or the call has ended; `receive` reports how. */
  send(request: Request): Promise<void>;
  /** Ends the client's side: it sends no more messages. */
  halfClose(): void;
  /** Ends the call, also at the server; `receive` then rejects with CANCELLED, unless the call had already ended. */
  cancel(): void;
}

/** The methods that all client calls of grpc-js have, and those of calls with a streamed request. */
interface ClientCall {
  on(event: "data" | "error", listener: (value: unknown) => void): unknown;
  cancel(): void;
  write?(message: unknown, onTaken: () => void): boolean;
  end?(): void;
}

interface Held<Response> {
  readonly message: Response;
  /** Passes it to grpc-js's stream, which then asks the transport for another. */
  readonly release: () => void;
}

/**
 * Opens a call and puts a gate before grpc-js's own stream. That stream would read 16 messages ahead, whatever their
 * size, and buffer without bound while nobody reads it (grpc-js.md #19). It may also report an error before earlier
 * messages. The gate holds one message until it is received, and only then requests another from the transport. So at
 * most two messages are in memory, and everything is in order.
 */
export function openCall<Request, Response>(
  open: (options: CallOptions) => ClientCall,
): StreamingCall<Request, Response> {
  let held: Held<Response> | undefined;
  let end: EndStatus | undefined;
  let waiting: Deferred<void> | undefined;
  let isCancelled = false;
  /** Sends that the transport has not taken. Its callback may never come once the call has ended (grpc-js.md #3). */
  const sending = new Set<() => void>();

  const wake = () => {
    waiting?.resolve();
    waiting = undefined;
  };
  const gate: Listener = {
    onReceiveMessage(message: Response, next) {
      const release = () => next(message);
      // After a cancel nobody receives the message, and grpc-js withholds the status until the message is passed on.
      if (isCancelled) release();
      else held = { message, release };
      wake();
    },
    onReceiveStatus(received, next) {
      end = received;
      for (const resolve of sending) resolve();
      sending.clear();
      wake();
      next(received);
    },
  };
  const call = open({ interceptors: [(options, nextCall) => gatedCall(gate, nextCall(options))] });
  // Makes the stream flow: it then requests the next message for each one that is passed on. The gate has the message.
  call.on("data", () => {});
  // The gate has the status.
  call.on("error", () => {});

  return {
    async receive(signal) {
      for (;;) {
        signal?.throwIfAborted();
        if (held !== undefined) {
          const { message, release } = held;
          held = undefined;
          release();
          return message;
        }
        if (end !== undefined) {
          if (end.code === status.OK) return undefined;
          throw errorOfStatus(end);
        }
        waiting = deferred<void>();
        await abortable(waiting.promise, signal);
      }
    },
    send(request) {
      if (end !== undefined || isCancelled) return Promise.resolve();
      return new Promise((resolve) => {
        sending.add(resolve);
        call.write?.(request, () => {
          sending.delete(resolve);
          resolve();
        });
      });
    },
    halfClose() {
      if (end === undefined) call.end?.();
    },
    cancel() {
      isCancelled = true;
      // In the turn in which the call was opened or written to, a cancel would not reach the server (grpc-js.md #27).
      setImmediate(() => call.cancel());
      held?.release();
      held = undefined;
      wake();
    },
  };
}

function gatedCall(gate: Listener, next: ConstructorParameters<typeof InterceptingCall>[0]): InterceptingCall {
  return new InterceptingCall(next, {
    start(metadata, _listener, start) {
      start(metadata, gate);
    },
  });
}
