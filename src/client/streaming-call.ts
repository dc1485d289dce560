import { type CallOptions, InterceptingCall, type Listener, status } from "@grpc/grpc-js";
import { abortable, type Deferred, deferred } from "../streams/index.js";
import { type EndStatus, errorOfStatus } from "./client-error.js";

/** A call with a streamed response, and perhaps a streamed request, pulled message by message. */
export interface StreamingCall<Request, Response> {
  /**
   * The next message, or undefined when the call ended with OK. Rejects with a ClientError when it ended otherwise, and
   * with the signal's reason when it aborts, which leaves the call as it is. One at a time.
   */
  receive(signal?: AbortSignal): Promise<Response | undefined>;
  /** Sends a message; resolves when the transport took it, and also when the call ended: `receive` tells how. */
  send(request: Request): Promise<void>;
  /** No more messages from this side. */
  halfClose(): void;
  /** Ends the call, also at the server; `receive` then rejects with CANCELLED, unless it had ended already. */
  cancel(): void;
}

/** What grpc-js's client calls have in common, and what only those have that write. */
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
 * Opens a call and puts a gate before grpc-js's own stream. That stream would take 16 messages ahead whatever their
 * size, accept without bound while nobody reads it (grpc-js.md #19), and may tell an error before the messages that came
 * ahead of it. The gate holds one message until it is received; only then is the transport asked for another. So two
 * messages at most are in memory, and everything comes in order.
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
      // After a cancel nobody wants it, and grpc-js keeps the end back until the message is passed on.
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
  // Flowing, so that each message that is passed on makes it ask for the next; the gate has the message already.
  call.on("data", () => {});
  // The gate has the end.
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
      // A cancel in the turn in which the call was opened or written to never reaches the server (grpc-js.md #27).
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
