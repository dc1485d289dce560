import {
  type BackoffOptions,
  fromPull,
  idleTimeout,
  mapError,
  reconnecting,
  type Source,
  type Stream,
  TimeoutError,
} from "../streams/index.js";
import type { Connection } from "./connection.js";
import { clientError, type ClientError, isTransient } from "./client-error.js";
import { retryBackoff } from "./retry-backoff.js";
import type { StreamingCall } from "./streaming-call.js";

/** The way to the server was lost, and is tried again after a while. */
export interface Reconnecting {
  readonly type: "reconnecting";
  /** Counts the tries since the last record, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly reason: ClientError;
}

/** How a stream comes back after a failure. */
export interface ResumeOptions {
  /**
   * Waits between tries: full jitter, 100 ms doubling to 5 s unless told otherwise. When there was no connection, and there
   * is one again, a wait ends within half a second.
   */
  readonly backoff?: BackoffOptions | undefined;
  /** Fail when nothing came for so long because of failures, in milliseconds. 0: at the first failure. */
  readonly giveUpAfterMs?: number | undefined;
}

export interface ResumingOptions<Message> extends ResumeOptions {
  /** Opens a call that goes on from where the messages so far ended; `undefined` when there is nothing left to ask for. */
  readonly open: () => Promise<StreamingCall<never, Message> | undefined>;
  /** Whether this message shows that the server does its work, so that the next wait may be short again. */
  readonly isProgress: (message: Message) => boolean;
  readonly onReconnecting: (event: Reconnecting) => void;
  /** A call that is asked for a message and gives none for so long is taken for dead, in milliseconds. */
  readonly silenceMs: number | undefined;
  /** Whose clock measures the waits, and which ends them when the server is there again. */
  readonly connection: Pick<Connection, "timers" | "waitToRetry">;
  /** Ends the stream with its reason. */
  readonly signal: AbortSignal | undefined;
}

/**
 * The messages of one call, and of the calls that follow it when the way to the server is lost: to whoever reads, one
 * sequence. A failure that no retry can heal is thrown. Nothing is asked of the server that was not pulled.
 */
export function resumingMessages<Message>(options: ResumingOptions<Message>): Stream<Message> {
  return reconnecting<Message>(
    async () => {
      const call = await options.open();
      return call === undefined ? [] : messagesOf(call, options);
    },
    {
      ...retryBackoff(options.backoff),
      timers: options.connection.timers,
      wait: (delayMs, waiting) => options.connection.waitToRetry(delayMs, waiting),
      whenEnded: "end",
      isRetryable: isTransient,
      delayOf: (error) => (isTransient(error) ? error.retryDelayMs : undefined),
      isProgress: options.isProgress,
      giveUpAfterMs: options.giveUpAfterMs,
      onReconnecting(event) {
        // Only what `isRetryable` let through comes here, and an end is the end.
        if (event.after === "end" || !isTransient(event.error)) return;
        const { attempt, delayMs, error } = event;
        options.onReconnecting({ type: "reconnecting", attempt, delayMs, reason: error });
      },
      signal: options.signal,
    },
  );
}

function messagesOf<Message>(
  call: StreamingCall<never, Message>,
  { silenceMs, connection: { timers } }: Pick<ResumingOptions<Message>, "silenceMs" | "connection">,
): Source<Message> {
  const messages = fromPull<Message>({
    async pull(signal) {
      const message = await call.receive(signal);
      return message === undefined ? { done: true, value: undefined } : { done: false, value: message };
    },
    close: () => call.cancel(),
  });
  if (silenceMs === undefined) return messages;
  return mapError(idleTimeout(messages, silenceMs, { timers }), (error) =>
    error instanceof TimeoutError
      ? clientError("UNAVAILABLE", `The server has sent nothing for ${silenceMs / 1000} s, not even a heartbeat`)
      : error,
  );
}
